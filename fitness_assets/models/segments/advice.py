"""What sets each segment apart, and the habits that lead to a better one."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Measure of a profile: how a segment that is high in it is described, and one that is low.
WORDS = {
    "steps": ("many steps", "few steps"),
    "active_minutes": ("much activity", "little activity"),
    "steps_variability": ("uneven days", "even days"),
    "weekend_steps_ratio": ("active weekends", "quiet weekends"),
    "resting_heart_rate": ("high resting heart rate", "low resting heart rate"),
    "heart_rate_above_rest": ("heart often raised", "heart rarely raised"),
    "heart_rate": ("high heart rate", "low heart rate"),
    "heart_rate_variability": ("some hard days", "no hard days"),
    "sleep": ("long sleep", "short sleep"),
    "sleep_variability": ("irregular sleep", "regular sleep"),
    "calories": ("high energy use", "low energy use"),
    "sedentary_minutes": ("much sitting", "little sitting"),
}

#: Fewer standard deviations than this between two means are too few to speak of: a "small" effect
#: of Cohen (Statistical Power Analysis for the Behavioral Sciences, 1988).
SMALL = 0.2
#: Hours of sleep that suit adults (Hirshkowitz et al., Sleep Health 1:40, 2015).
SLEEP = (7.0, 9.0)
#: Daily steps beyond which mortality falls no further (Paluch et al., Lancet Public Health 7:e219,
#: 2022: 8,000 to 10,000 below the age of 60).
STEPS = 10_000


@dataclass(frozen=True)
class Habit:
    """What a person can change.

    Attributes
    ----------
    direction : int
        1 if more of it is better, -1 if less is.
    step : float
        Changes are multiples of this.
    scale : float
        Told units for one unit of the measure.
    unit : str
    """

    direction: int
    step: float
    scale: float
    unit: str


#: How good each measure of health is, in its own unit.
_GOOD: dict[str, Callable[[float], float]] = {
    "resting_heart_rate": lambda rate: -rate,
    "steps": lambda steps: min(steps, STEPS),
    "sleep": lambda hours: -max(SLEEP[0] - hours, hours - SLEEP[1], 0),
}
# A change that takes fewer than this share of the segment to a better one is not worth telling.
_WORTH_IT = 0.05

#: Habits among the measures. Sleep is better up to the least that suits adults.
HABITS = {
    "steps": Habit(1, 100, 1, "steps a day"),
    "active_minutes": Habit(1, 5, 1, "active minutes a day"),
    "sleep": Habit(1, 5, 60, "minutes of sleep a night"),
    "sedentary_minutes": Habit(-1, 10, 1, "minutes of sitting a day"),
    "sleep_variability": Habit(-1, 5, 60, "minutes between long and short nights"),
}


def describe(
    table: pd.DataFrame, train: pd.DataFrame, model: "Pipeline", features: Sequence[str]
) -> list[dict[str, Any]]:
    """What sets each segment apart, and how to leave it for a better one.

    Parameters
    ----------
    table : DataFrame
        One row a user: ``user_id``, ``segment``, and every measure of the profile.
    train : DataFrame
        Profiles of the users that `model` has learned from.
    model : Pipeline
    features : sequence of str
        The measures that `model` goes by. Names are made of these.

    Returns
    -------
    list of dict
        For each segment that has users: ``segment``, ``name`` (no two the same), ``users``, the
        mean ``profile``, how many standard deviations it lies from everyone's (``distance``), and
        ``advice`` or None.
    """
    spread = train.std()
    means = table.groupby("segment")[list(train.columns)].mean().dropna(axis="columns", how="all")
    distance = ((means - train.mean()) / spread)[list(features)].fillna(0)
    names = _names(distance)
    users = table["segment"].value_counts()
    return [
        {
            "segment": int(segment),
            "name": names[segment],
            "users": int(users[segment]),
            "profile": {f: None if pd.isna(v) else float(v) for f, v in means.loc[segment].items()},
            "distance": {f: float(v) for f, v in distance.loc[segment].items()},
            "advice": _advice(segment, table, means, spread, model),
        }
        for segment in means.index
    ]


def better(means: Mapping[str, float], than: Mapping[str, float], spread: pd.Series) -> list[str]:
    """In what the one segment is better than the other, if it is worse in nothing.

    A segment is better by a lower resting heart rate (Zhang, Shen and Qi, CMAJ 188:E53, 2016), by
    more steps up to `STEPS`, and by sleep nearer to `SLEEP`. Differences below `SMALL` standard
    deviations are none.

    Returns
    -------
    list of str
        Measures; empty if the segment is not better.
    """
    gained = {
        name: (_GOOD[name](means[name]) - _GOOD[name](than[name])) / spread[name]
        for name in _GOOD
        if name in means
    }
    if any(gain <= -SMALL for gain in gained.values()):
        return []
    return [name for name, gain in gained.items() if gain >= SMALL]


def _names(distance: pd.DataFrame) -> dict[Any, str]:
    """Short names, no two the same: what a segment has most of or least of, beside everyone."""

    def words(segment: Any) -> list[str]:
        furthest = distance.loc[segment].sort_values(key=np.abs, ascending=False, kind="stable")
        told = [WORDS[f][0 if value > 0 else 1] for f, value in furthest.items()]
        notable = int((furthest.abs() >= SMALL).sum())
        return told[:notable] or ["about average"]

    every = {segment: words(segment) for segment in distance.index}
    names = {segment: all_words[:2] for segment, all_words in every.items()}
    for length in range(3, distance.shape[1] + 1):
        # What two words do not tell apart the next may.
        shared = Counter(map(tuple, names.values()))
        names |= {s: every[s][:length] for s, name in names.items() if shared[tuple(name)] > 1}
    told: dict[Any, str] = {}
    for segment, name in names.items():
        text = ", ".join(name).capitalize()
        same = sum(text == earlier.partition(" (")[0] for earlier in told.values())
        told[segment] = f"{text} ({same + 1})" if same else text
    return told


def _advice(
    segment: Any, table: pd.DataFrame, means: pd.DataFrame, spread: pd.Series, model: "Pipeline"
) -> dict[str, Any] | None:
    """The one or two changes that take most users of `segment` to a better one, or None.

    Only the habits of `HABITS` are changed, in the direction that is good, by what lies between
    the mean of the segment and that of the nearest better one.
    """
    mine = means.loc[segment]
    gains = {other: better(means.loc[other], mine, spread) for other in means.index}
    goals = [other for other, gained in gains.items() if gained]
    if not goals:
        return None
    centres = model[-1].cluster_centers_
    goal = min(goals, key=lambda other: float(np.linalg.norm(centres[other] - centres[segment])))
    changes = _changes(mine, means.loc[goal], spread)
    members = table[table["segment"] == segment]
    moved = 0.0
    habits: tuple[str, ...] = ()
    for tried in (c for size in (1, 2) for c in combinations(changes, size)):
        changed = _changed(members, {habit: changes[habit] for habit in tried})
        share = float(np.isin(model.predict(changed[model.feature_names_in_]), goals).mean())
        if share >= moved + _WORTH_IT:
            moved, habits = share, tried
    if not habits:
        return None
    return {
        "towards": int(goal),
        "better_in": gains[goal],
        "moved": moved,
        "habits": [
            {
                "habit": habit,
                "change": round(changes[habit] * HABITS[habit].scale),
                "unit": HABITS[habit].unit,
            }
            for habit in habits
        ],
    }


def _changed(profiles: pd.DataFrame, changes: Mapping[str, float]) -> pd.DataFrame:
    """`profiles` of the same people with so much more of each habit every day."""
    changed = profiles.assign(**{habit: profiles[habit] + more for habit, more in changes.items()})
    if "steps" in changes:
        # What is told as a share of the mean steps follows.
        before, after = profiles["steps"], changed["steps"]
        if "steps_variability" in profiles:
            changed["steps_variability"] *= before / after
        if "weekend_steps_ratio" in profiles:
            weekend = profiles["weekend_steps_ratio"] * before + changes["steps"]
            changed["weekend_steps_ratio"] = weekend / after
    return changed


def _changes(mine: pd.Series, goal: pd.Series, spread: pd.Series) -> dict[str, float]:
    """What of each habit lies between two segments, where that is to the good and not small."""
    changes = {}
    for name, habit in HABITS.items():
        if name not in mine:
            continue
        change = goal[name] - mine[name]
        if name == "sleep":
            # Who sleeps enough is not told to sleep more.
            change = min(goal[name], SLEEP[1]) - mine[name] if mine[name] < SLEEP[0] else 0.0
        told = round(change * habit.scale / habit.step) * habit.step
        if habit.direction * change >= SMALL * spread[name] and told:
            changes[name] = told / habit.scale
    return changes
