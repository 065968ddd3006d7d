import pytest
from pyarrow import types

from fitness_assets.record import daily, raw
from fitness_assets.record.activities import activity


def test_every_number_has_a_range_and_a_title() -> None:
    for column in raw.COLUMNS:
        is_number = types.is_integer(column.type) or types.is_floating(column.type)
        assert (column.range is not None) == is_number, column.name
        assert bool(column.label) == is_number, column.name


def test_the_schema_of_days_begins_with_the_canonical_record() -> None:
    names = raw.SCHEMA.names
    assert daily.SCHEMA.names[: len(names)] == names
    assert daily.SCHEMA.names[-1] == "resting_heart_rate_mean_28d"


@pytest.mark.parametrize("name", ["walk", "Trail Running", "HIIT", "['Walk', 'Bike']", "curling"])
def test_a_canonical_activity_is_unchanged(name: str) -> None:
    canonical = activity(name)
    assert canonical is not None
    assert activity(canonical) == canonical
