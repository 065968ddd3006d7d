"""User segments: K-Means on profiles of the window, and whether the groups it finds are there."""

from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import held_out
from fitness_assets.models.explanations import SMALLEST
from fitness_assets.models.registry import Trained
from fitness_assets.models.reports import SegmentMetrics
from fitness_assets.models.segments import advice, stability

#: Measures of a profile with their units. They are of a mean day, and of near duplicates the first
#: counts.
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
#: Columns of `daily_activity` that learning reads.
COLUMNS = ["user_id", "date", "worn", "day_of_week", *_READINGS]

#: Numbers of segments that are tried.
CANDIDATES = range(2, 7)

_FEWEST_USERS = 20
_FEWEST_DAYS = 7
_SATURDAY = 6
# An adjusted Rand index of fewer users than this says little: then all are judged.
_FEWEST_JUDGED = 20
# Correlation between users' odd and even days from which a measure is their own (split-half
# reliability; Spearman, Brit J Psychol 3:271, 1910) and not the chance of some days.
_RELIABLE = 0.5
# A measure of which the ones before it tell this share of the variance adds nothing. It is a
# variance inflation factor of 10 (Marquardt, Technometrics 12:591, 1970).
_REDUNDANT = 0.9


def profiles(days: pd.DataFrame) -> pd.DataFrame:
    """One profile a user, of those with at least a week of worn days.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of any number of days.

    Returns
    -------
    DataFrame
        Columns of `PROFILE`, indexed by user_id. Missing where a user has no such readings.
    """
    worn = days.loc[days["worn"], ["user_id", "day_of_week", *_READINGS]]
    worn = worn.assign(
        user_id=worn["user_id"].astype("category"),
        above_rest=worn["heart_rate_avg"] - worn["resting_heart_rate"],
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
    enough = by_user.size().to_numpy() >= _FEWEST_DAYS
    return table[enough].replace([np.inf, -np.inf], np.nan)


def pipeline(segments: int) -> Pipeline:
    """The untrained pipeline for a number of segments."""
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            # Amounts and ratios have long tails, and K-Means would spend segments on them.
            ("unskew", PowerTransformer()),
            ("kmeans", stability.kmeans(segments)),
        ]
    )


def train_month(days: pd.DataFrame, month: pd.Timestamp, _budget: int) -> Trained:
    """Train and evaluate the model of a month. See `registry.Implementation`."""
    model, table, metrics = learn(days, month)
    return Trained(model, metrics, {"segments": table})


def learn(days: pd.DataFrame, month: pd.Timestamp) -> tuple[Pipeline, pd.DataFrame, SegmentMetrics]:
    """Find segments among the users, and ask whether they are there.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window, which ends with `month`.
    month : Timestamp
        First day of the month whose users are given their segment.

    Returns
    -------
    Pipeline
        The model, learned on the profiles of the users that are not held out. Segments are
        numbered from the one with the least of the first measure.
    DataFrame
        A row for each user with a worn day in `month`: user_id, segment, and the profile.
    SegmentMetrics

    Raises
    ------
    NotLearnedError
        If there are too few users, or none differs from another.
    """
    # One thread: the order of a parallel sum would show in the last digits.
    with threadpool_limits(1):
        return _learn(days, month)


def _learn(
    days: pd.DataFrame, month: pd.Timestamp
) -> tuple[Pipeline, pd.DataFrame, SegmentMetrics]:
    everyone = profiles(days)
    here = everyone.index.isin(days.loc[days["worn"] & (days["date"] >= month), "user_id"])
    if here.sum() < _FEWEST_USERS:
        raise NotLearnedError(
            f"needs {_FEWEST_USERS} users with a week of worn days; there are {here.sum()}"
        )
    aside = _held_out(everyone.index)
    train = everyone[~aside]
    odd_days = days["date"].dt.day % 2 == 1
    halves = [profiles(days[half]) for half in (odd_days, ~odd_days)]
    features = _measures(train, *halves)
    if not features:
        raise NotLearnedError("the users that it may learn from do not differ in anything")
    judged = everyone.index[aside] if aside.sum() >= _FEWEST_JUDGED else everyone.index
    twice = halves[0].index.intersection(halves[1].index)
    fewest = min(len(train), (~_held_out(twice)).sum())
    numbers = [k for k in CANDIDATES if k * SMALLEST <= fewest]
    if not numbers or len(judged.intersection(twice)) < SMALLEST:
        raise NotLearnedError(
            f"too few users have {_FEWEST_DAYS} odd and {_FEWEST_DAYS} even worn days: {len(twice)}"
        )
    months = [profiles(days) for _, days in days.groupby(days["date"].dt.to_period("M"))]
    # A month that less than half of the users have, as when a study begins, shows little.
    enough = [m for m in months if 2 * (~_held_out(m.index)).sum() >= len(train)]
    evidence = stability.Evidence(
        window=_view(everyone, judged, features),
        odd_even=[_view(profile, judged, features) for profile in halves],
        months=[_view(profile, judged, features) for profile in enough],
    )
    candidates = stability.examine(evidence, numbers)
    chosen, stable = stability.choose(candidates)

    model = _numbered(pipeline(chosen["k"]).fit(train[features]))
    members = everyone[here]
    table = members.reset_index()
    table.insert(1, "segment", model.predict(members[features]).astype("int32"))
    metrics = {
        "users": len(table),
        "train_users": len(train),
        "heldout_users": int(aside.sum()),
        "judged_users": len(judged),
        "features": features,
        "k": chosen["k"],
        "stability": chosen["stability"],
        "stable": stable,
        "silhouette": chosen["silhouette"],
        "gap": chosen["gap"],
        "distinct": chosen["gap"] > 2 * chosen["gap_error"],
        "candidates": candidates,
        "profiles": advice.describe(table, train, model, features) if stable else [],
    }
    return model, table, msgspec.convert(metrics, SegmentMetrics)


def _scaler() -> Pipeline:
    """The pipeline without the clustering, untrained."""
    return pipeline(2)[:-1]


def _held_out(users: "pd.Index[Any]") -> np.ndarray:
    return held_out(users.to_series()).to_numpy()


def _measures(train: pd.DataFrame, odd: pd.DataFrame, even: pd.DataFrame) -> list[str]:
    """The measures that tell users apart.

    Parameters
    ----------
    train, odd, even : DataFrame
        Profiles of all days, of odd days and of even days.
    """
    # A measure that this data does not have, or that is the same for all, tells nobody apart.
    known = train.loc[:, train.min() < train.max()]
    both = train.index.intersection(odd.index).intersection(even.index)
    reliability = odd.loc[both, known.columns].corrwith(even.loc[both, known.columns])
    own = known.loc[:, reliability >= _RELIABLE]
    # Where no measure is the user's own there are no stable groups either, which is to be shown.
    return _without_duplicates(known if own.empty else own)


def _without_duplicates(train: pd.DataFrame) -> list[str]:
    """The measures of `train` less those that follow from the ones before them."""
    kept: list[str] = []
    if train.empty:
        return kept
    scaled = pd.DataFrame(_scaler().fit_transform(train), columns=train.columns)
    for name in train.columns:
        others, values = scaled[kept].to_numpy(), scaled[name].to_numpy()
        told = others @ np.linalg.lstsq(others, values)[0]
        if np.var(values - told) > (1 - _REDUNDANT) * np.var(values):
            kept.append(name)
    return kept


def _view(profile: pd.DataFrame, judged: "pd.Index[Any]", features: list[str]) -> stability.View:
    """`profile` in the space of a model that is learned on it."""
    train = profile.loc[~_held_out(profile.index), features]
    users = judged.intersection(profile.index)
    scaler = _scaler().fit(train)
    scaled = scaler.transform(profile.loc[users, features])
    return stability.View(scaler.transform(train), scaled, users)


def _numbered(model: Pipeline) -> Pipeline:
    """`model` with its segments in order of the first measure, as those of other months are."""
    kmeans = model[-1]
    order = np.argsort(kmeans.cluster_centers_[:, 0], kind="stable")
    kmeans.cluster_centers_ = kmeans.cluster_centers_[order]
    kmeans.labels_ = np.argsort(order).astype(kmeans.labels_.dtype)[kmeans.labels_]
    return model
