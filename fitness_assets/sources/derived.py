"""Which values of an imported record were derived from readings, and not stated for the day.

A daily total that an export states takes precedence over the sum of its readings, whether both are
in one import or in two. Therefore formats that combine readings add the column `DERIVED` to the
canonical record, and imports store it. It does not reach the lake.
"""

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.record.raw import FULL_SCHEMA, schema_of

#: Names of the columns whose values were derived.
DERIVED = pa.field("_derived", pa.list_(pa.string()))
#: The columns that an import can store. A file has only the optional columns with a known value.
STORED_SCHEMA = FULL_SCHEMA.append(DERIVED)


def stored_schema_of(names: Collection[str]) -> pa.Schema:
    """The columns of `STORED_SCHEMA` without the optional ones that are not among `names`."""
    return schema_of(names).append(DERIVED)


def is_derived(records: pa.Table, name: str) -> npt.NDArray[np.bool_]:
    """Whether the value of `name` was derived, for each of `records`.

    It is False in records without the column `DERIVED`, such as those of tidy files.
    """
    mask = np.zeros(len(records), bool)
    if DERIVED.name in records.column_names:
        derived = records[DERIVED.name].combine_chunks()
        found = pc.equal(pc.list_flatten(derived), name)
        mask[pc.list_parent_indices(derived).filter(found).to_numpy()] = True
    return mask


def as_stored(batch: pa.RecordBatch) -> pa.RecordBatch:
    """`batch` with the columns of `STORED_SCHEMA`; those that it lacks are null."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    return pa.record_batch(
        [columns.get(each.name, pa.nulls(len(batch), each.type)) for each in STORED_SCHEMA],
        schema=STORED_SCHEMA,
    )
