"""Groups that are there are found, and where there are none it is said."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import held_out
from fitness_assets.models.explanations import STABLE, habit_advice, segments_verdict
from fitness_assets.models.reports import SegmentMetrics
from fitness_assets.models.segments import advice, segmentation, stability
from fitness_assets.sources.cohort import source
from fitness_assets.sources.cohort.population import PERSONAS
from fitness_assets.storage import documents
from fitness_assets_tests.support.platform import original_lake

APRIL, MAY = pd.Timestamp("2023-04-01"), pd.Timestamp("2023-05-01")

Learned = tuple[Pipeline, pd.DataFrame, SegmentMetrics]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads of their own only slow down clusterings as small as these."""
    with threadpool_limits(1):
        yield


def telemetry(users: int, *, groups: int = 1, days: int = 30, seed: int = 0) -> pd.DataFrame:
    """Worn days from April on of `users` who differ by chance alone, or belong to groups too."""
    generator = np.random.default_rng(seed)
    dates = pd.date_range(APRIL, periods=days)
    frame = pd.DataFrame(
        {
            "user_id": np.repeat([f"u{i}" for i in range(users)], days),
            "date": np.tile(dates, users),
        }
    )
    group = np.repeat(np.arange(users) % groups, days)
    rows = len(frame)
    steps = generator.normal(6_000, 1_000, rows) + 4_000 * group
    resting = generator.normal(64, 3, rows) - 6 * group
    return frame.assign(
        worn=True,
        day_of_week=frame["date"].dt.weekday + 1,
        steps=steps,
        calories_burned=1_600 + 0.04 * steps + generator.normal(0, 20, rows),
        heart_rate_avg=resting + generator.normal(20, 3, rows),
        resting_heart_rate=resting,
        sleep_hours=generator.normal(7, 1, rows),
        active_minutes=generator.normal(30, 5, rows) + 20 * group,
        sedentary_minutes=generator.normal(700, 30, rows),
    )


@cache
def learned(users: int, groups: int = 1, days: int = 30, seed: int = 0) -> Learned:
    frame = telemetry(users, groups=groups, days=days, seed=seed)
    return segmentation.learn(frame, frame["date"].max().to_period("M").to_timestamp())


def group_of(table: pd.DataFrame, groups: int) -> pd.Series:
    return table["user_id"].str[1:].astype(int) % groups


@pytest.mark.parametrize(("groups", "days"), [(2, 30), (3, 61)])
def test_groups_that_are_there_are_found(groups: int, days: int) -> None:
    _, table, metrics = learned(120, groups, days)
    assert metrics.k == groups
    assert metrics.stable is True
    assert metrics.distinct is True
    assert metrics.stability > 0.9
    assert adjusted_rand_score(group_of(table, groups), table["segment"]) == 1
    assert table["segment"].tolist() == group_of(table, groups).tolist(), "numbered by their steps"
    assert f"{groups} stable segments" in segments_verdict(metrics)
    assert metrics.train_users + metrics.heldout_users == metrics.users == 120
    chosen = next(c for c in metrics.candidates if c.k == groups)
    assert (chosen.months is None) == (days == 30)
    assert (chosen.kept or 1) == 1


@pytest.mark.parametrize("seed", range(3))
def test_no_groups_are_found_in_noise(seed: int) -> None:
    model, table, metrics = learned(100, days=61, seed=seed)
    assert metrics.stable is False
    assert metrics.stability < 0.3
    assert metrics.profiles == [], "nothing is told or advised of groups that are not there"
    assert "No stable segments" in segments_verdict(metrics)
    assert len(table) == len(model.predict(table[metrics.features])) == 100
    documents.encode(metrics)


def test_resamples_of_users_alone_would_call_noise_stable() -> None:
    _, _, metrics = learned(400, days=61)
    two = metrics.candidates[0]
    assert two.bootstrap > STABLE
    assert (two.silhouette or 0) > 0.1
    assert max(two.odd_even or 0, two.months or 0) < 0.2
    assert metrics.stable is False


def test_the_original_lake_has_no_groups() -> None:
    folder = original_lake()
    months = [path for month in (4, 5) for path in folder.glob(f"year=2023/month=*{month}/*/*")]
    days = pd.concat([pq.ParquetFile(path).read().to_pandas() for path in months])
    some = days["user_id"].drop_duplicates().sort_values()[::2]
    days = days[days["user_id"].isin(some)]
    days = days.assign(date=pd.to_datetime(days["date"]), worn=True)
    days = days.assign(day_of_week=days["date"].dt.weekday + 1)
    lacking = set(segmentation.COLUMNS) - set(days.columns)
    _, _, metrics = segmentation.learn(days.assign(**dict.fromkeys(lacking, np.nan)), MAY)
    assert metrics.stable is False
    for candidate in metrics.candidates:
        assert candidate.odd_even == pytest.approx(0, abs=0.1)
        assert candidate.months == pytest.approx(0, abs=0.1)
        assert candidate.gap == pytest.approx(0, abs=0.05)


def test_personas_are_recovered() -> None:
    people = source.Cohort(1_000, seed=0)
    months = ("2023-04", "2023-05", "2023-06")
    records = [pa.Table.from_batches(people.read(month)).to_pandas() for month in months]
    # What counts of a day came last, and names its activity.
    delivered = pd.concat(records).sort_values(
        ["ingested_at", "activity_type"], na_position="first"
    )
    days = delivered.drop_duplicates(["user_id", "date"], keep="last")
    days = days.assign(date=pd.to_datetime(days["date"]), worn=days["steps"].notna())
    days = days.assign(
        day_of_week=days["date"].dt.weekday + 1,
        sleep_hours=days["sleep_hours"].where(days["sleep_hours"] <= 24),
    )
    _, table, metrics = segmentation.learn(days, pd.Timestamp("2023-06-01"))
    assert metrics.stable
    assert metrics.distinct
    assert metrics.k == len(PERSONAS)
    truth = people.truth("2023-06").users.to_pandas().set_index("user_id")["persona"]
    assert adjusted_rand_score(truth.loc[table["user_id"]], table["segment"]) > 0.6


def test_the_same_days_give_the_same_segments() -> None:
    first, table, metrics = learned(60, 2)
    again, same_table, same_metrics = segmentation.learn(telemetry(60, groups=2), APRIL)
    assert same_metrics == metrics
    pd.testing.assert_frame_equal(same_table, table)
    assert np.array_equal(again[-1].cluster_centers_, first[-1].cluster_centers_)


def test_a_measure_that_the_data_lacks_or_that_never_differs_is_left_out() -> None:
    days = telemetry(60, groups=2).assign(resting_heart_rate=np.nan, active_minutes=30.0)
    days["sleep_hours"] += np.repeat(np.random.default_rng(1).normal(size=60), 30)
    days.loc[days["user_id"] == "u7", "sleep_hours"] = np.nan
    _, table, metrics = segmentation.learn(days, APRIL)
    assert metrics.stable
    assert not {"resting_heart_rate", "heart_rate_above_rest", "active_minutes"} & {
        *metrics.features
    }
    assert "sleep" in metrics.features
    assert len(table) == 60, "a user without a reading has a segment all the same"
    documents.encode(metrics)


def test_a_measure_may_be_missing_in_a_month() -> None:
    days = telemetry(60, groups=2, days=61)
    days["sleep_hours"] += np.repeat(np.random.default_rng(1).normal(size=60), 61)
    days.loc[days["date"] < MAY, "sleep_hours"] = np.nan
    _, _, metrics = segmentation.learn(days, MAY)
    assert metrics.stable
    assert "sleep" in metrics.features


def test_a_month_of_few_users_is_not_compared() -> None:
    days = telemetry(60, groups=2, days=61)
    late = (days["date"] < MAY) & (days["user_id"].str[1:].astype(int) >= 5)
    _, _, metrics = segmentation.learn(days[~late], MAY)
    assert metrics.stable
    assert all(candidate.months is None for candidate in metrics.candidates)


def test_near_duplicates_count_once() -> None:
    _, _, metrics = learned(120, 2)
    assert "heart_rate" not in metrics.features, "it is rest and what lies above it"
    assert "steps" in metrics.features
    assert "calories" not in metrics.features, "they follow from the steps here"


def test_who_has_few_days_or_has_left_has_no_segment() -> None:
    days = telemetry(60, groups=2, days=61)
    worn_little = (days["user_id"] == "u1") & (days["date"] >= APRIL + pd.Timedelta(days=6))
    days.loc[worn_little, "worn"] = False
    left = (days["user_id"] == "u2") & (days["date"] >= MAY)
    _, table, metrics = segmentation.learn(days[~left], MAY)
    assert not {"u1", "u2"} & {*table["user_id"]}
    assert metrics.users == 58
    assert metrics.train_users + metrics.heldout_users == 59, "who has left is learned from"


def test_what_cannot_be_learned_says_why() -> None:
    with pytest.raises(NotLearnedError, match="needs 20 users with a week of worn days"):
        segmentation.learn(telemetry(19), APRIL)
    with pytest.raises(NotLearnedError, match="needs 20 users with a week of worn days"):
        segmentation.learn(telemetry(40, days=6), APRIL)
    with pytest.raises(NotLearnedError, match="needs 20 users"):
        segmentation.learn(telemetry(40).iloc[:0], APRIL)
    with pytest.raises(NotLearnedError, match="too few users have 7 odd and 7 even worn days: 0"):
        segmentation.learn(telemetry(40, groups=2, days=10), APRIL)
    same = telemetry(40).assign(**dict.fromkeys(segmentation.COLUMNS[4:], 60.0))
    with pytest.raises(NotLearnedError, match="do not differ in anything"):
        segmentation.learn(same, APRIL)


def test_labels_are_matched_whatever_their_numbers() -> None:
    april = np.array([0, 0, 1, 1, 2, 2, 2, 0])
    may = np.array([2, 2, 0, 0, 1, 1, 1, 1])
    assert stability.matched(may, to=april).tolist() == [0, 0, 1, 1, 2, 2, 2, 2]
    assert stability.matched(np.array([3, 3, 1]), to=np.array([0, 0, 2])).tolist() == [0, 0, 2]


def test_users_who_change_places_are_not_the_same_groups() -> None:
    generator = np.random.default_rng(0)
    groups = np.arange(200) % 2
    profiles = np.column_stack([6.0 * groups, 0.0 * groups]) + generator.normal(size=(200, 2))
    users = pd.Index([f"u{i}" for i in range(200)])
    here = stability.View(profiles, profiles, users)
    elsewhere = stability.View(profiles, profiles[generator.permutation(200)], users)
    index, share = stability._agreement([here, elsewhere], 2)
    assert index == pytest.approx(0, abs=0.1)
    assert share == pytest.approx(0.5, abs=0.1)
    renamed = stability.View(-profiles, -profiles, users)
    assert stability._agreement([here, renamed], 2) == (1.0, 1.0)
    assert stability._agreement([here], 2) == (None, None)


def test_the_null_is_one_population_with_the_covariance_of_the_data() -> None:
    generator = np.random.default_rng(0)
    spread = np.array([3.0, 2.0, 0.5])
    null = stability._normal(generator, 300, spread)
    assert np.cov(null.T, bias=True) == pytest.approx(np.diag(spread**2), abs=1e-9)
    for value, error in stability.gap(null, range(2, 6)):
        assert abs(value) < 4 * error


def test_gaps_are_seen_between_groups_and_not_in_one_population() -> None:
    generator = np.random.default_rng(0)
    # Measures that go together, as those of real people do: silhouette calls their halves groups.
    one = generator.normal(size=(400, 4)) @ generator.normal(size=(4, 4))
    assert all(abs(value) < 4 * error for value, error in stability.gap(one, range(2, 5)))
    groups = one + np.repeat([[0], [20]], 200, axis=0)
    value, error = stability.gap(groups, [2])[0]
    assert value > 10 * error


def test_the_smallest_number_within_an_error_of_the_widest_gap_is_chosen() -> None:
    def candidate(k: int, index: float, gap: float, smallest: int = 50) -> dict[str, Any]:
        return {"k": k, "stability": index, "gap": gap, "gap_error": 0.02, "smallest": smallest}

    two, three, four = candidate(2, 0.9, 0.1), candidate(3, 0.7, 0.29), candidate(4, 0.8, 0.3)
    unstable, outliers = candidate(5, 0.5, 0.9), candidate(6, 0.9, 0.9, smallest=2)
    assert stability.choose([two, three, four, unstable, outliers]) == (three, True)
    assert stability.choose([unstable, outliers]) == (outliers, False)
    assert stability.choose([candidate(2, 0.01, 0.0), candidate(3, 0.02, 0.0)])[0]["k"] == 2


def test_names_are_unique() -> None:
    rows = {"steps": [1.0, 1.0, 1.0, 0.0, 0.1], "sleep": [2.0, 2.0, 2.0, 0.1, 0.0]}
    distance = pd.DataFrame({**rows, "calories": [0.5, -0.5, -0.5, 0.0, 0.0]})
    assert list(advice._names(distance).values()) == [
        "Long sleep, many steps, high energy use",
        "Long sleep, many steps, low energy use",
        "Long sleep, many steps, low energy use (2)",
        "About average",
        "About average (2)",
    ]


def test_a_segment_is_better_only_if_it_is_worse_in_nothing() -> None:
    spread = pd.Series({"steps": 2_000.0, "resting_heart_rate": 5.0, "sleep": 1.0})
    mine = {"steps": 6_000.0, "resting_heart_rate": 65.0, "sleep": 6.0}
    fitter = {**mine, "resting_heart_rate": 60.0, "steps": 5_900.0}
    assert advice.better(fitter, mine, spread) == ["resting_heart_rate"]
    assert advice.better(mine, fitter, spread) == []
    assert advice.better({**fitter, "sleep": 5.0}, mine, spread) == [], "fitter, but sleeps less"
    enough = {**mine, "steps": 11_000.0, "sleep": 7.5}
    assert advice.better({**enough, "steps": 15_000.0, "sleep": 8.5}, enough, spread) == []
    assert advice.better({"steps": 9_000.0}, mine, spread) == ["steps"]


def test_advice_is_of_habits_and_leads_to_the_better_group() -> None:
    _, table, metrics = learned(120, 3, 61)
    least, middle, most = metrics.profiles
    assert len({profile.name for profile in metrics.profiles}) == 3
    assert most.advice is None, "there is no better one"
    assert least.advice is not None
    assert middle.advice is not None
    assert least.advice.towards == 1, "the nearest that is better"
    assert middle.advice.towards == 2
    for profile, found in ((least, least.advice), (middle, middle.advice)):
        assert 0 < len(found.habits) <= 2
        assert {change.habit for change in found.habits} <= {*advice.HABITS}
        assert found.better_in == ["resting_heart_rate", "steps"][: len(found.better_in)]
        assert found.moved > 0.5
        sentence = habit_advice(profile, metrics)
        assert "heart rate" not in sentence.partition(", towards")[0]
        assert metrics.profiles[found.towards].name in sentence
    steps = [change for change in least.advice.habits if change.habit == "steps"]
    assert not steps or steps[0].change == pytest.approx(4_000, abs=200)
    assert habit_advice(most, metrics) == ""
    assert sum(profile.users for profile in metrics.profiles) == len(table)


def test_more_steps_each_day_change_what_is_told_of_the_days() -> None:
    profiles = pd.DataFrame(
        {"steps": [4_000.0], "steps_variability": [0.5], "weekend_steps_ratio": [2.0]}
    )
    changed = advice._changed(profiles, {"steps": 4_000.0}).iloc[0]
    assert changed.tolist() == [8_000, 0.25, 1.5]


def test_the_held_out_are_not_learned_from() -> None:
    days = telemetry(120, groups=2)
    model, _, metrics = learned(120, 2)
    aside = held_out(days["user_id"])
    changed = days.assign(steps=days["steps"].where(~aside, days["steps"] * 3))
    other, _, _ = segmentation.learn(changed, APRIL)
    assert np.array_equal(model[-1].cluster_centers_, other[-1].cluster_centers_)
    assert metrics.judged_users == metrics.heldout_users == aside.sum() / 30
