import pyarrow as pa
import pytest

from fitness_assets.record import wear
from fitness_assets.record.raw import SCHEMA
from fitness_assets_tests.support.wear import DAYS_OF_WEAR


@pytest.mark.parametrize("name", DAYS_OF_WEAR)
def test_movement_of_a_day_is_kept_unless_the_device_was_not_worn(name: str) -> None:
    record = DAYS_OF_WEAR[name]
    states_movement = {*wear.MOVEMENT} - {"calories_burned"}
    is_kept = name.startswith("worn") or record.keys().isdisjoint(states_movement)
    assert wear.movement_is_kept(record) == is_kept
    fields = [field.with_nullable(True) for field in SCHEMA]
    (batch,) = pa.Table.from_pylist([record], schema=pa.schema(fields)).to_batches()
    assert wear.not_worn(batch).tolist() == [not is_kept]
    assert wear.not_worn(batch.slice(0, 0)).tolist() == []
