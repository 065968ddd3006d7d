"""Names and profiles of segments, and the changes of habits that lead to a better segment."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fitness_assets.models.segment_metrics import HabitAdvice, HabitChange, SegmentProfile

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Description of a segment that is high in a measure, and of one that is low.
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

#: Difference of two means, in standard deviations, below which they count as equal: a "small"
#: effect (Cohen, Statistical Power Analysis for the Behavioral Sciences, 1988).
SMALL = 0.2
#: Recommended hours of sleep (Hirshkowitz et al., Sleep Health 1:40, 2015).
SLEEP = (7.0, 9.0)
#: Daily steps beyond which mortality does not decrease further (Paluch et al., Lancet Public Health
#: 7:e219, 2022: 8,000 to 10,000 below the age of 60).
STEPS = 10_000


@dataclass(frozen=True)
class Habit:
    """A measure that a user can change.

    Attributes
    ----------
    direction : int
        1 if more of it is better, -1 if less is.
    step : float
        Changes are multiples of this, in `unit`.
    scale : float
        Number of `unit` in one unit of the measure.
    unit : str
        In which changes are shown.
    """

    direction: int
    step: float
    scale: float
    unit: str


# How healthy a value of each measure is, in the unit of the measure; more is better.
_GOOD: dict[str, Callable[[float], float]] = {
    "resting_heart_rate": lambda rate: -rate,
    "steps": lambda steps: min(steps, STEPS),
    "sleep": lambda hours: -max(SLEEP[0] - hours, hours - SLEEP[1], 0),
}
# Share of a segment's users that one more change of habits must move to a better segment.
_MIN_MOVED = 0.05

#: The measures that are habits. More sleep is better up to the recommended minimum.
HABITS = {
    "steps": Habit(1, 100, 1, "steps a day"),
    "active_minutes": Habit(1, 5, 1, "active minutes a day"),
    "sleep": Habit(1, 5, 60, "minutes of sleep a night"),
    "sedentary_minutes": Habit(-1, 10, 1, "minutes of sitting a day"),
    "sleep_variability": Habit(-1, 5, 60, "minutes between long and short nights"),
}


def describe(
    table: pd.DataFrame, train: pd.DataFrame, model: "Pipeline", features: Sequence[str]
) -> list[SegmentProfile]:
    """Describe each segment that has users.

    Parameters
    ----------
    table : DataFrame
        One row per user: ``user_id``, ``segment``, and every measure of the profile.
    train : DataFrame
        Profiles of the training users.
    model : Pipeline
    features : sequence of str
        The measures that `model` uses. Names are made of these.
    """
    spread = train.std()
    means = table.groupby("segment")[list(train.columns)].mean().dropna(axis="columns", how="all")
    distance = ((means - train.mean()) / spread)[list(features)].fillna(0)
    names = unique_names(distance)
    users = table["segment"].value_counts()
    return [
        SegmentProfile(
            segment=int(segment),
            name=names[segment],
            users=int(users[segment]),
            profile={f: None if pd.isna(v) else float(v) for f, v in means.loc[segment].items()},
            distance={f: float(v) for f, v in distance.loc[segment].items()},
            advice=_advice(segment, table, means, spread, model),
        )
        for segment in means.index
    ]


def better(means: Mapping[str, float], than: Mapping[str, float], spread: pd.Series) -> list[str]:
    """The measures in which one segment is better than another, if it is worse in none.

    A segment is better by a lower resting heart rate (Zhang, Shen and Qi, CMAJ 188:E53, 2016), by
    more steps up to `STEPS`, and by sleep closer to the range `SLEEP`. Differences below `SMALL`
    standard deviations are ignored.

    Parameters
    ----------
    means, than : mapping
        Means of the two segments by measure.
    spread : Series
        Standard deviation of each measure.

    Returns
    -------
    list of str
        Empty if the segment is not better.
    """
    gained = {
        name: (_GOOD[name](means[name]) - _GOOD[name](than[name])) / spread[name]
        for name in _GOOD
        if name in means
    }
    if any(gain <= -SMALL for gain in gained.values()):
        return []
    return [name for name, gain in gained.items() if gain >= SMALL]


def unique_names(
    distance: pd.DataFrame, measure_words: Mapping[str, tuple[str, str]] = WORDS
) -> dict[Any, str]:
    """Short names for segments, no two the same, from the measures that differ most.

    Parameters
    ----------
    distance : DataFrame
        Standard deviations from the mean of all users: a row per segment, a column per measure.
    measure_words : mapping
        Description of a segment that is high in a measure, and of one that is low, by measure.
    """

    def descriptions(segment: Any) -> list[str]:
        furthest = distance.loc[segment].sort_values(key=np.abs, ascending=False, kind="stable")
        words = [measure_words[f][0 if value > 0 else 1] for f, value in furthest.items()]
        notable = int((furthest.abs() >= SMALL).sum())
        return words[:notable] or ["about average"]

    all_words = {segment: descriptions(segment) for segment in distance.index}
    chosen = {segment: words[:2] for segment, words in all_words.items()}
    for length in range(3, distance.shape[1] + 1):
        # Lengthen the names that are still shared.
        shared = Counter(map(tuple, chosen.values()))
        chosen |= {
            s: all_words[s][:length] for s, name in chosen.items() if shared[tuple(name)] > 1
        }
    names: dict[Any, str] = {}
    for segment, words in chosen.items():
        text = ", ".join(words).capitalize()
        same = sum(text == earlier.partition(" (")[0] for earlier in names.values())
        names[segment] = f"{text} ({same + 1})" if same else text
    return names


def _advice(
    segment: Any, table: pd.DataFrame, means: pd.DataFrame, spread: pd.Series, model: "Pipeline"
) -> HabitAdvice | None:
    """The one or two changes of habits that move most users of `segment` to a better one, or None.

    Each habit of `HABITS` may change in its good direction, by the difference between the means of
    the segment and of the nearest better one.
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
        changed = with_changes(members, {habit: changes[habit] for habit in tried})
        share = float(np.isin(model.predict(changed[model.feature_names_in_]), goals).mean())
        if share >= moved + _MIN_MOVED:
            moved, habits = share, tried
    if not habits:
        return None
    return HabitAdvice(
        towards=int(goal),
        better_in=gains[goal],
        moved=moved,
        habits=[
            HabitChange(
                habit=habit,
                change=round(changes[habit] * HABITS[habit].scale),
                unit=HABITS[habit].unit,
            )
            for habit in habits
        ],
    )


def with_changes(profiles: pd.DataFrame, changes: Mapping[str, float]) -> pd.DataFrame:
    """`profiles` of the same users with `changes` added to their habits every day."""
    changed = profiles.assign(**{habit: profiles[habit] + more for habit, more in changes.items()})
    if "steps" in changes:
        # Measures relative to the mean steps change with it.
        before, after = profiles["steps"], changed["steps"]
        if "steps_variability" in profiles:
            changed["steps_variability"] *= before / after
        if "weekend_steps_ratio" in profiles:
            weekend = profiles["weekend_steps_ratio"] * before + changes["steps"]
            changed["weekend_steps_ratio"] = weekend / after
    return changed


def _changes(mine: pd.Series, goal: pd.Series, spread: pd.Series) -> dict[str, float]:
    """The difference of each habit between two segments, where it is an improvement, not small."""
    changes = {}
    for name, habit in HABITS.items():
        if name not in mine:
            continue
        change = goal[name] - mine[name]
        if name == "sleep":
            # Users who sleep enough are not advised to sleep more.
            change = min(goal[name], SLEEP[1]) - mine[name] if mine[name] < SLEEP[0] else 0.0
        rounded = round(change * habit.scale / habit.step) * habit.step
        if habit.direction * change >= SMALL * spread[name] and rounded:
            changes[name] = rounded / habit.scale
    return changes
