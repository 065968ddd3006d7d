"""The declaration of a workout."""

import dataclasses

import pyarrow as pa

from fitness_assets.record import raw, workouts


def test_a_column_that_the_record_has_too_is_declared_alike() -> None:
    of_record = {column.name: column for column in raw.COLUMNS}
    shared = [column for column in workouts.COLUMNS if column.name in of_record]
    assert [column.name for column in shared] == [
        *("user_id", "distance_km", "calories_burned", "heart_rate_avg", "source", "ingested_at"),
    ]
    for column in shared:
        declared = of_record[column.name]
        assert (column.type, column.unit, column.decimals) == (
            *(declared.type, declared.unit, declared.decimals),
        )


def test_every_field_of_a_workout_has_a_column() -> None:
    names = [each.name for each in dataclasses.fields(workouts.Workout)]
    assert names == [name for name in workouts.SCHEMA.names if name in names]
    assert set(workouts.SCHEMA.names) - set(names) == {"user_id", "source", "ingested_at"}


def test_numbers_have_ranges_and_units_and_times_of_two_clocks() -> None:
    assert set(workouts.NUMBERS) == {
        *("minutes", "distance_km", "calories_burned", "heart_rate_avg", "heart_rate_max"),
    }
    assert all(column.unit and column.label for column in workouts.NUMBERS.values())
    assert workouts.SCHEMA.field("start").type == pa.timestamp("us", tz="UTC")
    assert workouts.SCHEMA.field("local_start").type == pa.timestamp("us")
