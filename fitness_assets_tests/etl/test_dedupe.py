import pyarrow as pa
import pytest

from fitness_assets.etl import dedupe
from fitness_assets_tests.support.days import FIRST, table


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


@pytest.mark.parametrize("size", [1, 3, 15])
def test_the_history_is_input_to_the_baselines_and_then_dropped(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(dedupe, "_ROWS", 4)
    days = table([{day: day for day in range(10)}, dict.fromkeys(range(5), 100)])
    history = pa.array([day < 8 for day in range(10)] + [False] * 5)
    schema = pa.schema([("user_id", pa.string()), ("steps_mean_7d", pa.float64())])
    batches = days.append_column("_history", history).to_batches(max_chunksize=size)
    found = pa.Table.from_batches(dedupe.finish(iter(batches), schema), schema)
    assert found["user_id"].to_pylist() == ["u00"] * 2 + ["u01"] * 5
    assert found["steps_mean_7d"].to_pylist() == [4.0, 5.0, None, 100.0, 100.0, 100.0, 100.0]


def test_activities_get_their_canonical_names() -> None:
    delivered = [" Gym Workout!", "walk", "walking", None, "", "TreadmillRunning", "Curling"]
    days = pa.table({"activity_type": pa.array(delivered, pa.string())})
    named = dedupe.with_activities(days)["activity_type"].to_pylist()
    assert named == ["gym_workout", "walking", "walking", None, None, "running", "curling"]
