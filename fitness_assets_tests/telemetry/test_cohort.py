import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets import months
from fitness_assets.telemetry.cohort import ACTIVITIES, PERSONAS, Cohort
from fitness_assets.telemetry.schema import SCHEMA


def read(cohort: Cohort, month: str) -> pa.Table:
    return pa.Table.from_batches(cohort.read(month))


def first_users(table: pa.Table, count: int) -> pa.Table:
    ids = pa.array([f"u{i + 1:07d}" for i in range(count)])
    return table.filter(pc.is_in(table["user_id"], ids)).combine_chunks()


def test_records_are_canonical_and_complete() -> None:
    table = read(Cohort(40, seed=1), "2023-04")
    assert table.schema.equals(SCHEMA)
    days = table.select(["user_id", "date"]).group_by(["user_id", "date"]).aggregate([])
    assert days.num_rows == 40 * 30
    assert set(days["date"].to_pylist()) == set(months.days("2023-04"))
    assert table.num_rows > days.num_rows, "some records are delivered twice"
    assert set(table["activity_type"].drop_null().to_pylist()) <= set(ACTIVITIES)
    assert table["steps"].null_count > 0, "on some days the device was not worn"


def test_a_users_records_depend_on_the_user_alone() -> None:
    small, large = (read(Cohort(users, seed=1), "2023-05") for users in (7, 50))
    assert first_users(large, 7).equals(small.combine_chunks())


def test_months_are_generated_alone_and_seeds_differ() -> None:
    cohort = Cohort(10, seed=1)
    read(cohort, "2023-04")
    assert read(cohort, "2023-05").equals(read(Cohort(10, seed=1), "2023-05"))
    assert not read(Cohort(10, seed=2), "2023-05").equals(read(cohort, "2023-05"))


def test_people_stay_themselves() -> None:
    """Users' means of two months agree far better than users who are noise would."""
    means = []
    for month in ("2023-04", "2023-06"):
        table = read(Cohort(300, seed=1), month)
        means.append(
            table.group_by("user_id").aggregate([("steps", "mean")]).sort_by("user_id").to_pandas()
        )
    assert means[0]["steps_mean"].corr(means[1]["steps_mean"]) > 0.8


def test_shares_of_the_personas_make_a_whole() -> None:
    assert sum(persona.share for persona in PERSONAS) == pytest.approx(1)
