"""The metrics of the user segments of a month, as typed documents."""

import msgspec


class SegmentCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one number of segments. See `segments.stability.examine`.

    Attributes
    ----------
    k : int
        The number of segments.
    stability : float
        The least of the strict indices ``bootstrap``, ``odd_even`` and ``months``.
    subsampling : float
        Adjusted Rand index of samples of 80% of the users: lenient, and not part of `stability`.
    bootstrap, odd_even, months : float or None
        Adjusted Rand indices; None where they cannot be computed.
    kept : float or None
        Share of users that keep their segment from month to month.
    gap, gap_error : float
        Gap statistic and its standard error.
    silhouette : float or None
    smallest : int
        Training users in the smallest segment.
    """

    k: int
    stability: float
    subsampling: float
    bootstrap: float
    odd_even: float | None
    months: float | None
    kept: float | None
    gap: float
    gap_error: float
    silhouette: float | None
    smallest: int


class HabitChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one habit, in units of `unit`."""

    habit: str
    change: int
    unit: str


class HabitAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The changes that take most users of a segment to a better one.

    Attributes
    ----------
    towards : int
        The better segment.
    better_in : list of str
        Measures in which it is better.
    moved : float
        Share of the users that the model then assigns to a better segment.
    habits : list of HabitChange
    """

    towards: int
    better_in: list[str]
    moved: float
    habits: list[HabitChange]


class SegmentProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One segment.

    Attributes
    ----------
    segment : int
    name : str
        Unique within the month.
    users : int
    profile : dict of str to float or None
        Mean of each measure.
    distance : dict of str to float
        Standard deviations from the mean of all users, by measure of the model.
    advice : HabitAdvice or None
    """

    segment: int
    name: str
    users: int
    profile: dict[str, float | None]
    distance: dict[str, float]
    advice: HabitAdvice | None


class SegmentMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="segments"):
    """Metrics of the user segments of a month.

    Attributes
    ----------
    users : int
        Users of the month that have a segment.
    train_users, heldout_users, judged_users : int
        Users that the model is trained on, that are held out, and on whom partitions are compared.
    features : list of str
        Measures of the profile that the model uses.
    k, stability, silhouette, gap
        Of the candidate that was selected.
    stable : bool
        Whether its indices reach the threshold and its smallest segment is large enough.
    distinct : bool
        Whether the gap statistic shows gaps between the segments.
    candidates : list of SegmentCandidate
    profiles : list of SegmentProfile
        Empty unless stable.
    """

    users: int
    train_users: int
    heldout_users: int
    judged_users: int
    features: list[str]
    k: int
    stability: float
    stable: bool
    silhouette: float | None
    gap: float
    distinct: bool
    candidates: list[SegmentCandidate]
    profiles: list[SegmentProfile]

    @property
    def selected(self) -> SegmentCandidate:
        """The candidate with `k` segments."""
        return next(candidate for candidate in self.candidates if candidate.k == self.k)

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name."""
        known = {} if self.silhouette is None else {"silhouette": self.silhouette}
        return {
            "users": self.users,
            "train_users": self.train_users,
            "heldout_users": self.heldout_users,
            "judged_users": self.judged_users,
            "k": self.k,
            "stability": self.stability,
            "lenient_stability": self.selected.subsampling,
            "stable": self.stable,
            "gap": self.gap,
            "distinct": self.distinct,
            **known,
        }
