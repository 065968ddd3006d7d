"""Kinds of days: K-Means on a user's own worn days, with the tests of stability of segments.

The objects are the days of one user, scaled by the user's own mean and spread. A number of kinds is
accepted only if the kinds are the same for odd and even days, from month to month and in bootstrap
samples (`segments.stability`), and if there are gaps between them. The last condition is stricter
than for segments, which may divide a continuum: steps and kcal of a day rise together, and a cut
through their middle would be stable without being a kind. No stable kinds is the usual result.

The tests end with the first that fails, so that a month without kinds costs little.
"""

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import FEWEST_USERS
from fitness_assets.models.day_kind_metrics import (
    DayKind,
    DayKindCandidate,
    DayKindMetrics,
    UserDayKinds,
)
from fitness_assets.models.registry import Trained
from fitness_assets.models.segments import stability
from fitness_assets.models.segments.advice import unique_names
from fitness_assets.models.segments.criteria import FEWEST_DAYS, SMALLEST_SEGMENT, STABLE
from fitness_assets.models.small_fits import small_fits

#: The measures of a day, by column of `daily_activity`, in the terms of `segments.advice.WORDS`.
MEASURES = {
    "steps": "steps",
    "active_minutes": "active_minutes",
    "heart_rate_avg": "heart_rate",
    "resting_heart_rate": "resting_heart_rate",
    "sleep_hours": "sleep",
    "calories_burned": "calories",
    "sedentary_minutes": "sedentary_minutes",
}
#: Description of a kind of days that is high in a measure, and of one that is low.
WORDS = {
    "steps": ("many steps", "few steps"),
    "active_minutes": ("active days", "quiet days"),
    "heart_rate": ("raised heart rate", "low heart rate"),
    "resting_heart_rate": ("high resting heart rate", "low resting heart rate"),
    "sleep": ("long sleep", "short sleep"),
    "calories": ("high energy use", "low energy use"),
    "sedentary_minutes": ("much sitting", "little sitting"),
}
#: Candidate numbers of kinds.
CANDIDATES = range(2, 5)

# A measure must be known on this share of the days.
_LEAST_KNOWN = 0.75
# Worn days of a month that is compared with the next.
_MIN_MONTH = 20
_SATURDAY = 6
# Correlation from which two measures go together.
_CORRELATED = 0.3
# Share of a measure's variance that two groups explain, from which it has two peaks. It is 0.64 for
# a normal distribution and 0.75 for an even spread.
_TWO_PEAKS = 0.78
# As in `segments.stability.choose`: more kinds must increase the gap by more than this share.
_GAP_TOLERANCE = 0.05
# The gap must exceed that of one population by this many standard errors.
_ERRORS = 3


def applies(days: pd.DataFrame) -> bool:
    """Whether there are too few users for segments of users."""
    return days["user_id"].nunique() < FEWEST_USERS


def train_month(days: pd.DataFrame) -> Trained:
    """Find the kinds of days of each user of a window.

    Parameters
    ----------
    days : DataFrame
        `segmentation.COLUMNS` of the whole months of the trailing window.

    Returns
    -------
    Trained
        Without a model: nothing is predicted with it. The table ``day_kinds`` has ``user_id``,
        ``date``, ``kind`` and ``name`` of each day of users with stable kinds.

    Raises
    ------
    NotLearnedError
        If no user has enough worn days.
    """
    worn = days[days["worn"]].sort_values(["user_id", "date"], ignore_index=True)
    most = int(worn["user_id"].value_counts().max()) if len(worn) else 0
    if most < FEWEST_DAYS:
        raise NotLearnedError(f"needs {FEWEST_DAYS} worn days; there are {most}")
    with small_fits():
        found = [_of_user(str(user), own) for user, own in worn.groupby("user_id")]
    table = pd.concat([part for _, part in found], ignore_index=True)
    return Trained(None, DayKindMetrics(users=[user for user, _ in found]), {"day_kinds": table})


def _of_user(user: str, days: pd.DataFrame) -> tuple[UserDayKinds, pd.DataFrame]:
    """The kinds of days of one user, and the kind of each day."""
    own = days[list(MEASURES)].astype(float).rename(columns=MEASURES)
    known = own.loc[:, (own.notna().mean() >= _LEAST_KNOWN) & (own.min() < own.max())]
    features: list[str] = []
    candidates: list[DayKindCandidate] = []
    kinds: list[DayKind] = []
    table = pd.DataFrame({"user_id": [], "date": [], "kind": [], "name": []})
    if len(days) >= FEWEST_DAYS and not known.empty:
        scaled = _scaler().fit_transform(known)
        used = _used(scaled)
        scaled, known = scaled[:, used], known.loc[:, used]
        features = [str(name) for name in known.columns]
    if features:
        candidates = [_examine(scaled, days["date"], k) for k in CANDIDATES]
        if selected := _choose(candidates):
            labels = _labels(scaled, selected.k, known.iloc[:, 0].to_numpy())
            kinds = _describe(own, features, days["day_of_week"], labels)
            names = {kind.kind: kind.name for kind in kinds}
            table = pd.DataFrame({"user_id": user, "date": days["date"], "kind": labels})
            table["name"] = table["kind"].map(names)
    table = table.astype({"user_id": "string", "kind": "int32", "name": "string"})
    table["date"] = pd.to_datetime(table["date"]).dt.date
    return (
        UserDayKinds(
            user=user, days=len(days), features=features, candidates=candidates, kinds=kinds
        ),
        table,
    )


def _used(scaled: np.ndarray) -> np.ndarray:
    """Which measures may differ between kinds of days; the others would only hide the kinds.

    Those are the measures with two peaks, and the measures that correlate with one of them. Without
    such peaks there may be kinds that differ a little in several measures, which then correlate.
    """
    correlation = np.abs(np.atleast_2d(np.corrcoef(scaled, rowvar=False)))
    np.fill_diagonal(correlation, 0)
    peaks = np.array([_split(values) >= _TWO_PEAKS for values in scaled.T])
    if peaks.any():
        return np.asarray(peaks | (correlation[peaks].max(axis=0) >= _CORRELATED))
    return np.asarray(correlation.max(axis=0) >= _CORRELATED)


def _split(values: np.ndarray) -> float:
    """The share of the variance that the best division of `values` into two groups explains."""
    ordered = np.sort(values - values.mean())
    before, n = np.arange(1, len(ordered)), len(ordered)
    total = np.cumsum(ordered)[:-1]
    between = total**2 * (1 / before + 1 / (n - before))
    return float(between.max() / max(float(ordered @ ordered), np.finfo(float).tiny))


def _scaler() -> Pipeline:
    # A power transform, as for segments, would blur two peaks of different sizes. Long tails are no
    # kinds compared with an even spread.
    return Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])


def _examine(scaled: np.ndarray, dates: pd.Series, k: int) -> DayKindCandidate:
    """Test one number of kinds; the first test that fails ends it."""
    smallest = int(np.bincount(_kmeans(scaled, k).labels_, minlength=k).min())
    found = DayKindCandidate(k=k, smallest=smallest)
    if smallest < SMALLEST_SEGMENT:
        return found
    number = dates.dt.day.to_numpy() + dates.dt.month.to_numpy()
    halves = [_view(scaled, number % 2 == half) for half in (1, 0)]
    months = dates.dt.to_period("M")
    counts = months.value_counts().sort_index()
    views = [
        _view(scaled, (months == month).to_numpy()) for month in counts.index[counts >= _MIN_MONTH]
    ]
    window = _view(scaled, np.ones(len(scaled), bool))
    values: dict[str, float | None] = {}

    def fails(name: str, index: float | None) -> bool:
        values[name] = index
        return index is not None and index < STABLE

    def result(*, passed: bool) -> DayKindCandidate:
        return DayKindCandidate(k=k, smallest=smallest, passed=passed, **values)

    if fails("odd_even", stability.agreement(halves, k)[0]):
        return result(passed=False)
    # Most days are a continuum, which ends here.
    gap, error = _gap(scaled, k)
    values |= {"gap": gap, "gap_error": error}
    if gap <= _ERRORS * error:
        return result(passed=False)
    if fails("months", stability.agreement(views, k)[0]):
        return result(passed=False)
    if fails("bootstrap", stability.resampled(window, k)):
        return result(passed=False)
    values["subsampling"] = stability.resampled(window, k, stability.SUBSAMPLE)
    return result(passed=True)


def _gap(scaled: np.ndarray, k: int) -> tuple[float, float]:
    """The smaller gap statistic of two nulls, and its standard error.

    One normal population, as for segments, and an even spread along the principal axes, as in the
    original (Tibshirani, Walther and Hastie, J R Stat Soc B 63:411, 2001).
    """
    even = stability.gap(scaled, [k], stability.even_sample)[0]
    if even[0] <= _ERRORS * even[1]:
        return even
    return min(even, stability.gap(scaled, [k])[0])


def _view(scaled: np.ndarray, here: np.ndarray) -> stability.View:
    """The clustering is trained on the days `here`, and compared on all days."""
    return stability.View(scaled[here], scaled, pd.RangeIndex(len(scaled)))


def _kmeans(scaled: np.ndarray, k: int) -> KMeans:
    return stability.fit(stability.kmeans(k), scaled)


def _choose(candidates: list[DayKindCandidate]) -> DayKindCandidate | None:
    """The smallest number of kinds that passed, and whose gap is about the largest."""
    passed = {
        each.k: (each.gap or 0.0, each.gap_error or 0.0) for each in candidates if each.passed
    }
    if not passed:
        return None
    gap, error = max(passed.values())
    enough = gap - max(error, _GAP_TOLERANCE * gap)
    return next(each for each in candidates if each.passed and passed[each.k][0] >= enough)


def _labels(scaled: np.ndarray, k: int, first: np.ndarray) -> np.ndarray:
    """The kind of each day, numbered by the mean of the first measure, ascending."""
    labels = _kmeans(scaled, k).labels_
    order = np.argsort([np.nanmean(first[labels == kind]) for kind in range(k)], kind="stable")
    return np.asarray(np.argsort(order)[labels])


def _describe(
    own: pd.DataFrame, features: list[str], weekday: pd.Series, labels: np.ndarray
) -> list[DayKind]:
    means = own.groupby(labels).mean()
    distance = ((means - own.mean()) / own.std())[features].fillna(0)
    names = unique_names(distance, WORDS)
    return [
        DayKind(
            kind=int(kind),
            name=names[kind],
            days=int((labels == kind).sum()),
            share=float((labels == kind).mean()),
            weekend_share=float((weekday[labels == kind] >= _SATURDAY).mean()),
            profile={
                str(name): None if pd.isna(value) else float(value)
                for name, value in means.loc[kind].items()
            },
            distance={str(name): float(value) for name, value in distance.loc[kind].items()},
        )
        for kind in means.index
    ]
