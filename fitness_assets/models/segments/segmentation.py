"""User segments: K-Means on user profiles of the window, with their stability and advice."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import boxcox1p
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import FEW_USERS, held_out
from fitness_assets.models.disclosure import SMALLEST_CELL, strip_counts
from fitness_assets.models.registry import Everyone, Trained
from fitness_assets.models.segment_metrics import SegmentMetrics, SegmentProfile
from fitness_assets.models.segments import advice, stability
from fitness_assets.models.segments.criteria import SMALLEST_SEGMENT
from fitness_assets.models.small_fits import small_fits

#: Measures of a profile, with their units, on the mean day of a user. Of measures that are nearly
#: redundant the model uses the first.
PROFILE = {
    "steps": "count",
    "active_minutes": "min",
    "steps_variability": "standard deviation between days, as a share of the mean",
    "weekend_steps_ratio": "mean of weekends, as a share of the mean",
    "resting_heart_rate": "beats per minute",
    "heart_rate_above_rest": "beats per minute",
    "heart_rate": "beats per minute",
    "heart_rate_variability": "standard deviation between days, beats per minute",
    "sleep": "h",
    "sleep_variability": "standard deviation between nights, h",
    "calories": "kcal",
    "sedentary_minutes": "min",
}
_READINGS = [
    "steps",
    "active_minutes",
    "resting_heart_rate",
    "heart_rate_avg",
    "sleep_hours",
    "calories_burned",
    "sedentary_minutes",
]
#: Columns of `daily_activity` that training reads.
COLUMNS = ["user_id", "date", "worn", "day_of_week", *_READINGS]

#: Candidate numbers of segments.
CANDIDATES = range(2, 7)

_MIN_USERS = 20
_MIN_DAYS = 7
_SATURDAY = 6
# With fewer held-out users an adjusted Rand index says little; then all users are compared.
_MIN_JUDGED_USERS = 20
# Correlation between users' odd and even days above which a measure is a property of the user and
# not of the days (split-half reliability; Spearman, Brit J Psychol 3:271, 1910).
_RELIABLE = 0.5
# Share of a measure's variance that the measures before it may explain before it is redundant. It
# corresponds to a variance inflation factor of 10 (Marquardt, Technometrics 12:591, 1970).
_REDUNDANT = 0.9


def profiles(days: pd.DataFrame) -> pd.DataFrame:
    """The profiles of the users with at least a week of worn days.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of any number of days.

    Returns
    -------
    DataFrame
        Columns of `PROFILE`, indexed by user_id. NaN where a user has no such readings.
    """
    worn = days.loc[days["worn"], ["user_id", "day_of_week", *_READINGS]]
    worn = worn.astype({"user_id": "category"}).assign(
        above_rest=worn["heart_rate_avg"] - worn["resting_heart_rate"]
    )
    by_user = worn.groupby("user_id", observed=True)
    mean = by_user[[*_READINGS, "above_rest"]].mean()
    spread = by_user[["steps", "heart_rate_avg", "sleep_hours"]].std()
    weekend = worn[worn["day_of_week"] >= _SATURDAY].groupby("user_id", observed=True)["steps"]
    table = pd.DataFrame(
        {
            "steps": mean["steps"],
            "active_minutes": mean["active_minutes"],
            "steps_variability": spread["steps"] / mean["steps"],
            "weekend_steps_ratio": weekend.mean() / mean["steps"],
            "resting_heart_rate": mean["resting_heart_rate"],
            "heart_rate_above_rest": mean["above_rest"],
            "heart_rate": mean["heart_rate_avg"],
            "heart_rate_variability": spread["heart_rate_avg"],
            "sleep": mean["sleep_hours"],
            "sleep_variability": spread["sleep_hours"],
            "calories": mean["calories_burned"],
            "sedentary_minutes": mean["sedentary_minutes"],
        }
    ).astype("float64")
    table.index = table.index.astype(object)
    enough = by_user.size().to_numpy() >= _MIN_DAYS
    return table[enough].replace([np.inf, -np.inf], np.nan)


def pipeline(segments: int) -> Pipeline:
    """The untrained pipeline for a number of segments."""
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            # Amounts and ratios have long tails, which would become segments of their own.
            ("unskew", PowerTransformer()),
            ("kmeans", stability.kmeans(segments)),
        ]
    )


def train_month(
    days: pd.DataFrame, month: pd.Timestamp, _budget: int, people: int, everyone: Everyone | None
) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    model, table, metrics = learn(days, month, people)
    if everyone is not None:
        parts = [_assigned(model, metrics, batch, month) for batch in everyone()]
        table = pd.concat(parts).sort_values("user_id", ignore_index=True)
        users = table["segment"].value_counts()
        described = [
            msgspec.structs.replace(each, users=int(users[each.segment]))
            for each in metrics.profiles
        ]
        metrics = msgspec.structs.replace(metrics, users=len(table), profiles=described)
    return Trained(model, metrics, {"segments": table})


def learn(
    days: pd.DataFrame, month: pd.Timestamp, people: int = SMALLEST_CELL
) -> tuple[Pipeline, pd.DataFrame, SegmentMetrics]:
    """Train the segments of a month, and measure their stability.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window, which ends with `month`.
    month : Timestamp
        First day of the month whose users are assigned to segments.
    people : int
        Smallest number of training users of a segment.

    Returns
    -------
    Pipeline
        The model, trained on the profiles of the users that are not held out. Segments are numbered
        by their centre's first measure, ascending.
    DataFrame
        A row for each user with a worn day in `month`: ``user_id``, ``segment``, ``segment_name``
        (missing unless the segments are stable), and the profile.
    SegmentMetrics

    Raises
    ------
    NotLearnedError
        If there are too few users, or they do not differ.
    """
    with small_fits():
        return _learn(days, month, people)


def _learn(
    days: pd.DataFrame, month: pd.Timestamp, people: int
) -> tuple[Pipeline, pd.DataFrame, SegmentMetrics]:
    # Numbers in place of ids, once for all subsets of the days.
    days = days[COLUMNS].astype({"user_id": "category"})
    everyone = profiles(days)
    few = len(everyone) < FEW_USERS
    if few:
        everyone = _in_order_of_content(everyone)
    in_month = _has_worn(everyone, days, month)
    if in_month.sum() < _MIN_USERS:
        raise NotLearnedError(
            f"needs {_MIN_USERS} users with a week of worn days; there are {in_month.sum()}"
        )
    heldout = _held_out(everyone.index, few)
    train = everyone[~heldout]
    odd_days = days["date"].dt.day % 2 == 1
    halves = [profiles(days[half]) for half in (odd_days, ~odd_days)]
    # A measure of few users, or the median that is imputed for it, would describe them.
    train = train.loc[:, train.notna().sum() >= people]
    features = _measures(train, *halves)
    if not features:
        raise NotLearnedError("the training users do not differ in anything")
    judged = everyone.index[heldout] if heldout.sum() >= _MIN_JUDGED_USERS else everyone.index
    in_both_halves = halves[0].index.intersection(halves[1].index)
    fewest = min(len(train), (~_held_out(in_both_halves, few)).sum())
    numbers = [k for k in CANDIDATES if k * SMALLEST_SEGMENT <= fewest]
    if not numbers or len(judged.intersection(in_both_halves)) < SMALLEST_SEGMENT:
        raise NotLearnedError(
            f"too few users have {_MIN_DAYS} odd and {_MIN_DAYS} even worn days: "
            f"{len(in_both_halves)}"
        )
    month_of = days["date"].to_numpy().astype("datetime64[M]")
    months = [profiles(days[month_of == each]) for each in np.unique(month_of)]
    # A month with less than half of the users, as at the start of a study, says little.
    compared = [m for m in months if 2 * (~_held_out(m.index, few)).sum() >= len(train)]
    evidence = stability.Evidence(
        window=_view(everyone, train.index, judged, features),
        odd_even=[_view(profile, train.index, judged, features) for profile in halves],
        months=[_view(profile, train.index, judged, features) for profile in compared],
    )
    candidates = [
        candidate
        for candidate in stability.examine(evidence, numbers)
        if candidate.smallest >= people
    ]
    if not candidates:
        raise NotLearnedError(f"each number of segments has one of fewer than {people} users")
    selected, stable = stability.choose(candidates)

    model = _numbered(pipeline(selected.k).fit(train[features]))
    strip_counts(model, people)
    table = _with_segments(model, features, everyone[in_month])
    described = advice.describe(table, train, model, features) if stable else []
    table = _with_names(table, described)
    metrics = SegmentMetrics(
        users=len(table),
        train_users=len(train),
        heldout_users=int(heldout.sum()),
        judged_users=len(judged),
        features=features,
        k=selected.k,
        stability=selected.stability,
        stable=stable,
        silhouette=selected.silhouette,
        gap=selected.gap,
        distinct=selected.gap > 2 * selected.gap_error,
        candidates=candidates,
        profiles=described,
    )
    return model, table, metrics


def _has_worn(everyone: pd.DataFrame, days: pd.DataFrame, month: pd.Timestamp) -> np.ndarray:
    """Whether each user with a profile has a worn day in `month`, the last of `days`."""
    worn = days.loc[days["worn"] & (days["date"] >= month), "user_id"]
    return np.asarray(everyone.index.isin(worn))


def _assigned(
    model: Pipeline, metrics: SegmentMetrics, days: pd.DataFrame, month: pd.Timestamp
) -> pd.DataFrame:
    """The users of `days` and their segments, as `learn` returns them."""
    everyone = profiles(days)
    members = everyone[_has_worn(everyone, days, month)]
    return _with_names(_with_segments(model, metrics.features, members), metrics.profiles)


def _with_segments(model: Pipeline, features: list[str], members: pd.DataFrame) -> pd.DataFrame:
    table = members.sort_index().reset_index()
    segments = model.predict(table[features]) if len(table) else np.zeros(0)
    table.insert(1, "segment", segments.astype("int32"))
    return table


def _with_names(table: pd.DataFrame, described: Sequence[SegmentProfile]) -> pd.DataFrame:
    names = {profile.segment: profile.name for profile in described}
    table.insert(2, "segment_name", table["segment"].map(names).astype("string"))
    return table


def _held_out(users: "pd.Index[Any]", few: bool) -> np.ndarray:
    """Whether each user is held out: none of few. See `datasets.FEW_USERS`."""
    return np.zeros(len(users), bool) if few else held_out(users.to_series()).to_numpy()


def _in_order_of_content(everyone: pd.DataFrame) -> pd.DataFrame:
    """Profiles in an order that does not depend on the ids, which a home's key decides."""
    return everyone.sort_values(list(everyone.columns), kind="stable")


def _measures(train: pd.DataFrame, odd: pd.DataFrame, even: pd.DataFrame) -> list[str]:
    """The measures in which users differ reliably.

    Parameters
    ----------
    train, odd, even : DataFrame
        Profiles of all days, of odd days and of even days.
    """
    # Measures that are missing or the same for all users are left out.
    known = train.loc[:, train.min() < train.max()]
    both = train.index.intersection(odd.index).intersection(even.index)
    reliability = odd.loc[both, known.columns].corrwith(even.loc[both, known.columns])
    own = known.loc[:, reliability >= _RELIABLE]
    # Without a reliable measure there are no stable segments; the indices will show that.
    return _without_duplicates(known if own.empty else own)


def _without_duplicates(train: pd.DataFrame) -> list[str]:
    """The measures of `train` without those that the measures before them explain."""
    kept: list[str] = []
    if train.empty:
        return kept
    table = pd.DataFrame(scaled(train, train)[0], columns=train.columns)
    for name in train.columns:
        others, values = table[kept].to_numpy(), table[name].to_numpy()
        explained = others @ np.linalg.lstsq(others, values)[0]
        if np.var(values - explained) > (1 - _REDUNDANT) * np.var(values):
            kept.append(name)
    return kept


def _view(
    profile: pd.DataFrame,
    trained: "pd.Index[Any]",
    judged: "pd.Index[Any]",
    features: list[str],
) -> stability.View:
    """`profile`, scaled by a model that is trained on its users among `trained`."""
    train = profile.loc[trained.intersection(profile.index, sort=False), features]
    users = judged.intersection(profile.index, sort=False)
    return stability.View(*scaled(train, profile.loc[users, features]), users)


def scaled(train: pd.DataFrame, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """`train` and other `rows` as `pipeline` scales them when it is trained on `train`.

    The exponents of `PowerTransformer` are found here, since scikit-learn takes ten times as long.

    Parameters
    ----------
    train, rows : DataFrame
        Profiles with the same measures.

    Returns
    -------
    ndarray, ndarray
        The profiles of `train` and of `rows`.
    """
    standard = pipeline(2)[:2].fit(train)
    both = [standard.transform(profile) for profile in (train, rows)]
    exponents = np.array([_exponent(column) for column in both[0].T])
    one, other = (_yeo_johnson(values, exponents) for values in both)
    unskewed = StandardScaler().fit(one)
    return unskewed.transform(one), unskewed.transform(other)


def _exponent(values: np.ndarray) -> float:
    """The exponent of the maximum likelihood (Yeo and Johnson, Biometrika 87:954, 2000)."""
    if values.min() == values.max():
        return 1.0
    jacobian = np.sum(np.sign(values) * np.log1p(np.abs(values)))

    def loss(exponent: float) -> float:
        variance = _yeo_johnson(values, exponent).var()
        return float(len(values) / 2 * np.log(variance) - (exponent - 1) * jacobian)

    return float(minimize_scalar(loss, bracket=(-2, 2)).x)


def _yeo_johnson(values: np.ndarray, exponents: float | np.ndarray) -> np.ndarray:
    """The transformation of Yeo and Johnson, with an exponent for each column."""
    powers = np.where(values >= 0, exponents, 2 - exponents)
    unskewed: np.ndarray = np.sign(values) * boxcox1p(np.abs(values), powers)
    return unskewed


def _numbered(model: Pipeline) -> Pipeline:
    """`model` with its segments ordered by the first measure, so that months are comparable."""
    kmeans = model[-1]
    order = np.argsort(kmeans.cluster_centers_[:, 0], kind="stable")
    kmeans.cluster_centers_ = kmeans.cluster_centers_[order]
    kmeans.labels_ = np.argsort(order).astype(kmeans.labels_.dtype)[kmeans.labels_]
    return model
