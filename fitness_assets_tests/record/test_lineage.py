"""The columns of the raw record that each column of `daily_activity` is computed from."""

from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest

from fitness_assets.etl import clean
from fitness_assets.record import daily, raw

DAYS = 40


def records(seed: int) -> pa.Table:
    """One record of each day of one user, with missing values and some out of range."""
    generator = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {
        "user_id": pa.array(["anna"] * DAYS),
        "date": pa.array([date(2023, 4, 1) + timedelta(day) for day in range(DAYS)]),
    }
    for field in raw.FULL_SCHEMA:
        if field.name in columns:
            continue
        if field.name in raw.RANGES:
            low, high = raw.RANGES[field.name]
            values = generator.uniform(low, high + (high - low) * 0.05, DAYS).round()
            values[generator.random(DAYS) < 0.3] = 0
            missing = generator.random(DAYS) < 0.4
            columns[field.name] = pa.array(values, mask=missing).cast(field.type, safe=False)
        elif pa.types.is_string(field.type):
            words = ["active", "total", "female", "walking", None]
            columns[field.name] = pa.array([words[i] for i in generator.integers(5, size=DAYS)])
        else:
            columns[field.name] = pa.nulls(DAYS, field.type)
    return pa.table(columns, schema=raw.FULL_SCHEMA)


def cleaned(table: pa.Table) -> pa.Table:
    return clean.daily_activity(clean.with_history(table), raw.OPTIONAL)


@pytest.mark.parametrize("name", [field.name for field in raw.FULL_SCHEMA])
def test_a_changed_column_changes_only_what_is_computed_from_it(name: str) -> None:
    changed = set()
    for seed in range(4):
        table = records(seed)
        before = cleaned(table)
        other = records(seed + 100)[name]
        if name == "date":
            other = pa.chunked_array([[day.as_py() + timedelta(1) for day in table[name]]])
        elif name == "user_id":
            other = pa.chunked_array([["ben"] * DAYS])
        position = table.schema.get_field_index(name)
        after = cleaned(table.set_column(position, raw.FULL_SCHEMA.field(name), other))
        changed |= {
            column for column in before.column_names if not before[column].equals(after[column])
        }
    dependent = {
        field.name for field in daily.schema_of(raw.OPTIONAL) if name in daily.inputs_of(field.name)
    }
    assert changed <= dependent
    assert name in changed or table[name].null_count == DAYS
