"""User segments: K-Means on monthly profiles, and whether the groups it finds are there."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.impute import SimpleImputer
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from fitness_assets.errors import NotLearnedError
from fitness_assets.learning.datasets import held_out

#: Profile feature: column it summarises, and how a segment high or low in it is described.
PROFILE = {
    "steps": ("steps", "steps"),
    "steps_variability": ("steps", "variation in steps"),
    "weekend_steps_ratio": ("steps", "weekend steps"),
    "active_minutes": ("active_minutes", "exercise"),
    "heart_rate": ("heart_rate_avg", "heart rate"),
    "resting_heart_rate": ("resting_heart_rate", "resting heart rate"),
    "sleep": ("sleep_hours", "sleep"),
    "calories": ("calories_burned", "calories"),
}
#: Columns of `daily_activity` that learning reads.
COLUMNS = ["user_id", "date", "worn", "day_of_week", *sorted({c for c, _ in PROFILE.values()})]

#: Numbers of segments that are tried.
CANDIDATES = range(2, 7)
#: A user's segment must be the same on odd and on even days at least to this adjusted Rand index.
#: On users who differ by chance alone it is about 0, whatever the silhouette says.
STABLE = 0.5

_FEWEST_USERS = 10
_FEWEST_DAYS = 7
_SATURDAY = 6
# Silhouette compares each profile with every other; this many tell it well enough.
_SILHOUETTE_SAMPLE = 2_000


def profiles(days: pd.DataFrame) -> pd.DataFrame:
    """One profile a user and month, of users with at least a week of worn days in it.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of any number of months.

    Returns
    -------
    DataFrame
        Columns of `PROFILE`, indexed by month (its first day) and user_id.
    """
    worn = days[days["worn"]]
    month = worn["date"].dt.to_period("M").dt.to_timestamp().rename("month")
    by_user = worn.groupby([month, "user_id"], observed=True)
    weekend = worn["day_of_week"] >= _SATURDAY
    steps = by_user["steps"].mean()
    weekend_steps = worn[weekend].groupby([month[weekend], "user_id"], observed=True)["steps"]
    table = pd.DataFrame(
        {
            "steps": steps,
            "steps_variability": by_user["steps"].std() / steps,
            "weekend_steps_ratio": weekend_steps.mean() / steps,
            "active_minutes": by_user["active_minutes"].mean(),
            "heart_rate": by_user["heart_rate_avg"].mean(),
            "resting_heart_rate": by_user["resting_heart_rate"].mean(),
            "sleep": by_user["sleep_hours"].mean(),
            "calories": by_user["calories_burned"].mean(),
        }
    )
    return table[by_user.size() >= _FEWEST_DAYS].replace([np.inf, -np.inf], np.nan)


def pipeline(segments: int) -> Pipeline:
    """The untrained pipeline for a number of segments."""
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median")),
            ("scale", StandardScaler()),
            ("kmeans", KMeans(n_clusters=segments, n_init=10, random_state=0)),
        ]
    )


def learn(days: pd.DataFrame, month: pd.Timestamp) -> tuple[Pipeline, pd.DataFrame, dict[str, Any]]:
    """Find segments among the users, and ask whether the same groups appear in other days.

    The number of segments is the one whose groups agree best between the odd days and the even
    days of `month`, for users that were not learned from.

    Parameters
    ----------
    days : DataFrame
        `COLUMNS` of the trailing window.
    month : Timestamp
        First day of the month whose users are given their segment.

    Returns
    -------
    Pipeline
        The model, learned on the profiles of all months of the window.
    DataFrame
        A row for each user of `month`: user_id, segment, and the profile.
    dict
        Stability and silhouette of each number of segments, the verdict, and the segments.

    Raises
    ------
    NotLearnedError
        If there are too few users.
    """
    everyone = profiles(days)
    here = everyone.index.get_level_values("month") == month
    users = int(here.sum())
    if users < _FEWEST_USERS:
        raise NotLearnedError(
            f"needs {_FEWEST_USERS} users with a week of worn days; there are {users}"
        )
    # A measure that this data does not have tells nobody apart.
    features = [name for name in PROFILE if everyone[name].notna().any()]
    kept_aside = held_out(everyone.index.to_frame(index=False)["user_id"]).to_numpy()
    train, test = everyone.loc[~kept_aside, features], everyone.loc[kept_aside & here, features]
    if min(len(train), len(test)) < _FEWEST_USERS // 2:
        raise NotLearnedError(f"too few users are left to test on: {len(test)}")

    odd, even = _halves(days[days["date"] >= month], features, test.index)
    candidates: list[dict[str, Any]] = []
    models: dict[int, Pipeline] = {}
    for k in CANDIDATES:
        if k >= min(len(train), len(odd)):
            break
        # On one thread: the order of a parallel sum would show in the last digits.
        with threadpool_limits(1):
            models[k] = pipeline(k).fit(train)
        candidates.append(
            {
                "segments": k,
                "stability": float(
                    adjusted_rand_score(models[k].predict(odd), models[k].predict(even))
                ),
                "silhouette": _silhouette(models[k], test),
            }
        )
    if not candidates:
        raise NotLearnedError("too few users have readings on both odd and even days")
    best = max(candidates, key=lambda candidate: candidate["stability"])
    model = models[best["segments"]]

    members = everyone.loc[here].reset_index(level="month", drop=True)
    segment = model.predict(members[features])
    table = members.reset_index()
    table.insert(1, "segment", segment.astype("int32"))
    metrics = {
        "users": users,
        "rows_learned": len(train),
        "users_learned": int(train.index.get_level_values("user_id").nunique()),
        "users_tested": len(test),
        "features": features,
        "segments": best["segments"],
        "stability": best["stability"],
        "silhouette": best["silhouette"],
        "stable": best["stability"] >= STABLE,
        "candidates": candidates,
        "profiles": _describe(table, train, features),
    }
    return model, table, metrics


def _halves(
    days: pd.DataFrame, features: list[str], index: "pd.Index[Any]"
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Profiles of the same users on odd and on even days."""
    parity = days["date"].dt.day % 2
    odd, even = (profiles(days[parity == side]) for side in (1, 0))
    both = odd.index.intersection(even.index).intersection(index)
    return odd.loc[both, features], even.loc[both, features]


def _silhouette(model: Pipeline, profile: pd.DataFrame) -> float | None:
    labels = model.predict(profile)
    if len(set(labels)) in (1, len(labels)):
        return None
    scaled = model[:-1].transform(profile)
    size = min(_SILHOUETTE_SAMPLE, len(profile))
    return float(silhouette_score(scaled, labels, sample_size=size, random_state=0))


def _describe(
    table: pd.DataFrame, train: pd.DataFrame, features: list[str]
) -> list[dict[str, Any]]:
    """What sets each segment apart: its two largest distances from everyone's mean."""
    spread = train[features].std().replace(0, np.nan)
    centre = train[features].mean()
    described = []
    for segment in sorted(table["segment"].unique()):
        members = table[table["segment"] == segment]
        mean = members[features].mean()
        distance = ((mean - centre) / spread).fillna(0)
        furthest = distance.abs().sort_values(ascending=False, kind="stable").index[:2]
        words = [f"{'more' if distance[f] > 0 else 'less'} {PROFILE[f][1]}" for f in furthest]
        described.append(
            {
                "segment": int(segment),
                "users": len(members),
                "name": ", ".join(words),
                "profile": {f: None if pd.isna(mean[f]) else float(mean[f]) for f in features},
            }
        )
    return described
