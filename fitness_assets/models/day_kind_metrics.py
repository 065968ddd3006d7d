"""The kinds of days of few users, as typed documents."""

import msgspec


class DayKindCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one number of kinds. See `personal.day_kinds`.

    The tests are made in the order of the fields. A test that fails ends them: the fields of later
    tests are None then.

    Attributes
    ----------
    k : int
        The number of kinds.
    smallest : int
        Days of the smallest kind.
    odd_even : float or None
        Adjusted Rand index between odd and even days.
    gap, gap_error : float or None
        Gap statistic and its standard error.
    months, bootstrap : float or None
        Adjusted Rand indices between consecutive months, and between bootstrap samples of the days.
        ``months`` is also None with only one month.
    subsampling : float or None
        That of samples of 80% of the days: lenient, and no condition.
    passed : bool
        Whether it passed all tests.
    """

    k: int
    smallest: int
    odd_even: float | None = None
    gap: float | None = None
    gap_error: float | None = None
    months: float | None = None
    bootstrap: float | None = None
    subsampling: float | None = None
    passed: bool = False

    @property
    def stability(self) -> float:
        """The least of the adjusted Rand indices that were computed."""
        indices = (self.odd_even, self.months, self.bootstrap)
        return min((index for index in indices if index is not None), default=0.0)


class DayKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of days of a user.

    Attributes
    ----------
    kind : int
    name : str
        Unique among the kinds of the user.
    days : int
    share : float
        Of the user's days.
    weekend_share : float
        Share of its days that are Saturdays or Sundays.
    profile : dict of str to float or None
        Mean of each measure.
    distance : dict of str to float
        Standard deviations from the user's mean day, by measure.
    """

    kind: int
    name: str
    days: int
    share: float
    weekend_share: float
    profile: dict[str, float | None]
    distance: dict[str, float]


class UserDayKinds(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of days of one user.

    Attributes
    ----------
    user : str
    days : int
        Worn days of the window.
    features : list of str
        Measures that the days are clustered by.
    candidates : list of DayKindCandidate
        Empty if there are too few days.
    kinds : list of DayKind
        Empty unless a number of kinds passed all tests.
    """

    user: str
    days: int
    features: list[str]
    candidates: list[DayKindCandidate]
    kinds: list[DayKind]

    @property
    def best(self) -> DayKindCandidate | None:
        """The candidate that was selected, or else the most stable one; None without any."""
        if self.kinds:
            return next(each for each in self.candidates if each.k == len(self.kinds))
        return max(self.candidates, key=lambda each: each.stability, default=None)


class DayKindMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="day_kinds"):
    """The kinds of days of each user of a month with few users.

    Attributes
    ----------
    users : list of UserDayKinds
        In the order of their ids.
    """

    users: list[UserDayKinds]

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name; the stability is that of the user who has the most stable."""
        best = [found.best for found in self.users]
        stability = max((each.stability for each in best if each), default=0.0)
        return {
            "users": len(self.users),
            "users_with_kinds": sum(bool(found.kinds) for found in self.users),
            "stability": stability,
            "stable": any(found.kinds for found in self.users),
        }
