"""Segments are found in data with groups, and none are reported in data without."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from fitness_assets.errors import NotLearnedError
from fitness_assets.models.datasets import held_out
from fitness_assets.models.explanations import segments_verdict
from fitness_assets.models.segments import segmentation
from fitness_assets.sources.cohort import source
from fitness_assets.sources.cohort.population import PERSONAS
from fitness_assets.storage import documents
from fitness_assets_tests.support.platform import original_lake
from fitness_assets_tests.support.segments import APRIL, MAY, learned, telemetry


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Run on one thread: more threads only slow down such small clusterings."""
    with threadpool_limits(1):
        yield


def group_of(table: pd.DataFrame, groups: int) -> pd.Series:
    return table["user_id"].str[1:].astype(int) % groups


@pytest.mark.parametrize(("groups", "days"), [(2, 30), (3, 61)])
def test_groups_are_found(groups: int, days: int) -> None:
    _, table, metrics = learned(120, groups, days)
    assert metrics.k == groups
    assert metrics.stable is True
    assert metrics.distinct is True
    assert metrics.stability > 0.9
    assert adjusted_rand_score(group_of(table, groups), table["segment"]) == 1
    assert table["segment"].tolist() == group_of(table, groups).tolist(), "numbered by their steps"
    names = {profile.segment: profile.name for profile in metrics.profiles}
    assert table["segment_name"].tolist() == table["segment"].map(names).tolist()
    assert f"{groups} stable segments" in segments_verdict(metrics)
    assert metrics.train_users + metrics.heldout_users == metrics.users == 120
    assert metrics.selected.k == groups
    assert (metrics.selected.months is None) == (days == 30)
    assert (metrics.selected.kept or 1) == 1


@pytest.mark.parametrize("seed", range(3))
def test_no_stable_segments_are_found_in_noise(seed: int) -> None:
    model, table, metrics = learned(100, days=61, seed=seed)
    assert metrics.stable is False
    assert metrics.stability < 0.3
    assert metrics.profiles == []
    assert table["segment_name"].isna().all()
    assert "No stable segments" in segments_verdict(metrics)
    assert len(table) == len(model.predict(table[metrics.features])) == 100
    documents.encode(metrics)


def test_profiles_are_scaled_as_by_the_pipeline() -> None:
    generator = np.random.default_rng(0)
    profiles = pd.DataFrame(np.exp(generator.normal(size=(300, 3))), columns=["a", "b", "c"])
    profiles["b"] = -profiles["b"]
    profiles.loc[::7, "c"] = np.nan
    train, others = profiles[:200], profiles[200:].assign(a=0.5)
    fitted = segmentation.pipeline(2)[:-1].fit(train)
    for found, rows in zip(segmentation.scaled(train, others), (train, others), strict=True):
        assert np.allclose(found, fitted.transform(rows), atol=1e-5)


def test_the_original_lake_has_no_stable_segments() -> None:
    folder = original_lake()
    months = [path for month in (4, 5) for path in folder.glob(f"year=2023/month=*{month}/*/*")]
    days = pd.concat([pq.ParquetFile(path).read().to_pandas() for path in months])
    some = days["user_id"].drop_duplicates().sort_values()[::2]
    days = days[days["user_id"].isin(some)]
    days = days.assign(date=pd.to_datetime(days["date"]), worn=True)
    days = days.assign(day_of_week=days["date"].dt.weekday + 1)
    missing = set(segmentation.COLUMNS) - set(days.columns)
    _, _, metrics = segmentation.learn(days.assign(**dict.fromkeys(missing, np.nan)), MAY)
    assert metrics.stable is False
    for candidate in metrics.candidates:
        assert candidate.odd_even == pytest.approx(0, abs=0.1)
        assert candidate.months == pytest.approx(0, abs=0.1)
        assert candidate.gap == pytest.approx(0, abs=0.05)


def test_personas_are_recovered() -> None:
    people = source.Cohort(1_000, seed=0)
    months = ("2023-04", "2023-05", "2023-06")
    records = [pa.Table.from_batches(people.read(month)).to_pandas() for month in months]
    # The last record of a day counts, and it names the activity.
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
    second, same_table, same_metrics = segmentation.learn(telemetry(60, groups=2), APRIL)
    assert same_metrics == metrics
    pd.testing.assert_frame_equal(same_table, table)
    assert np.array_equal(second[-1].cluster_centers_, first[-1].cluster_centers_)


def test_measures_that_are_missing_or_constant_are_left_out() -> None:
    days = telemetry(60, groups=2).assign(resting_heart_rate=np.nan, active_minutes=30.0)
    days["sleep_hours"] += np.repeat(np.random.default_rng(1).normal(size=60), 30)
    days.loc[days["user_id"] == "u7", "sleep_hours"] = np.nan
    _, table, metrics = segmentation.learn(days, APRIL)
    assert metrics.stable
    assert not {"resting_heart_rate", "heart_rate_above_rest", "active_minutes"} & {
        *metrics.features
    }
    assert "sleep" in metrics.features
    assert len(table) == 60, "a user without a reading has a segment too"
    documents.encode(metrics)


def test_a_measure_may_be_missing_in_a_month() -> None:
    days = telemetry(60, groups=2, days=61)
    days["sleep_hours"] += np.repeat(np.random.default_rng(1).normal(size=60), 61)
    days.loc[days["date"] < MAY, "sleep_hours"] = np.nan
    _, _, metrics = segmentation.learn(days, MAY)
    assert metrics.stable
    assert "sleep" in metrics.features


def test_a_month_with_few_users_is_not_compared() -> None:
    days = telemetry(60, groups=2, days=61)
    late = (days["date"] < MAY) & (days["user_id"].str[1:].astype(int) >= 5)
    _, _, metrics = segmentation.learn(days[~late], MAY)
    assert metrics.stable
    assert all(candidate.months is None for candidate in metrics.candidates)


def test_redundant_measures_are_left_out() -> None:
    _, _, metrics = learned(120, 2)
    assert "heart_rate" not in metrics.features, "it is the sum of two others"
    assert "steps" in metrics.features
    assert "calories" not in metrics.features, "they follow from the steps here"


def test_users_with_few_days_or_none_in_the_month_have_no_segment() -> None:
    days = telemetry(60, groups=2, days=61)
    worn_little = (days["user_id"] == "u1") & (days["date"] >= APRIL + pd.Timedelta(days=6))
    days.loc[worn_little, "worn"] = False
    left = (days["user_id"] == "u2") & (days["date"] >= MAY)
    _, table, metrics = segmentation.learn(days[~left], MAY)
    assert not {"u1", "u2"} & {*table["user_id"]}
    assert metrics.users == 58
    assert metrics.train_users + metrics.heldout_users == 59, (
        "users of earlier months are trained on"
    )


def test_too_little_data_is_reported() -> None:
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


def test_held_out_users_are_not_trained_on() -> None:
    days = telemetry(120, groups=2)
    model, _, metrics = learned(120, 2)
    heldout = held_out(days["user_id"])
    changed = days.assign(steps=days["steps"].where(~heldout, days["steps"] * 3))
    other, _, _ = segmentation.learn(changed, APRIL)
    assert np.array_equal(model[-1].cluster_centers_, other[-1].cluster_centers_)
    assert metrics.judged_users == metrics.heldout_users == heldout.sum() / 30
