import pyarrow as pa

from fitness_assets.etl import dedupe
from fitness_assets_tests.support.days import FIRST


def test_the_first_record_of_each_day_is_kept() -> None:
    records = pa.table(
        {
            "user_id": ["a", "a", "a", "b", "b"],
            "date": [
                FIRST,
                FIRST,
                FIRST.replace(day=2),
                FIRST.replace(day=2),
                FIRST.replace(day=3),
            ],
            "steps": [1, 2, 3, 4, 5],
        }
    )
    assert dedupe.first_record_per_day(records)["steps"].to_pylist() == [1, 3, 4, 5]
    assert dedupe.first_record_per_day(records.slice(0, 0)).num_rows == 0


def test_activities_get_their_canonical_names() -> None:
    delivered = [" Gym Workout!", "walk", "walking", None, "", "TreadmillRunning", "Curling"]
    days = pa.table({"activity_type": pa.array(delivered, pa.string())})
    named = dedupe.with_activities(days)["activity_type"].to_pylist()
    assert named == ["gym_workout", "walking", "walking", None, None, "running", "curling"]
