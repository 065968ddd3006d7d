"""The imports as they are stored: their files, and the merged records of a month.

Each import has one folder. Its manifest lists the original, the records by month as they were read
from it, the workouts by month, and ``traits.parquet``: for each month, the records with the last
known age, sex, height and weight of each user, from which these columns are filled on later days of
any import.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.record import workouts
from fitness_assets.record.raw import SCHEMA, TRAITS
from fitness_assets.sources import merge
from fitness_assets.sources.derived import STORED_SCHEMA, stored_schema_of
from fitness_assets.sources.import_manifest import ImportInfo, import_info
from fitness_assets.sources.main_activity import LONGEST, MainActivities
from fitness_assets.sources.preferred import NO_ORDER, SourceOrder
from fitness_assets.storage.links import link_or_copy
from fitness_assets.storage.publication import Manifest, StoredFile, read_manifest, verify
from fitness_assets.storage.writer import Writer

RECORDS = "records-"
TRAITS_FILE = "traits.parquet"
WORKOUTS = "workouts-"

# Raised if the rule by which records are merged changes: months of the lake become stale.
_MERGE_VERSION = 2
# Records that are merged at a time. A user's records of a month are always merged together.
_MAX_RECORDS = 500_000
_TRAIT_COLUMNS = ["user_id", "date", "ingested_at", *TRAITS]
_TRAIT_SCHEMA = pa.schema([SCHEMA.field(name) for name in _TRAIT_COLUMNS]).remove_metadata()
_ORIGIN_FIELD = pa.field(merge.ORIGIN, pa.int32())


@dataclass(frozen=True)
class StoredImport:
    """An import as it is stored.

    Attributes
    ----------
    folder : Path
    manifest : Manifest
    info : ImportInfo
    """

    folder: Path
    manifest: Manifest
    info: ImportInfo

    def file(self, name: str) -> StoredFile | None:
        """The stored file of this name, or None."""
        return next((file for file in self.manifest.files if file.name == name), None)

    def read(self, month: str, schema: pa.Schema = STORED_SCHEMA) -> Iterator[pa.RecordBatch]:
        """The records of `month` as they were read from the export, with `schema`."""
        file = self.file(records_file(month))
        if file is not None:
            yield from _read(self.folder, file, schema)

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        """The workouts of `month` as they were read from the export."""
        file = self.file(workouts_file(month))
        if file is not None:
            yield from _read(self.folder, file, workouts.SCHEMA)

    def columns(self, month: str) -> list[str]:
        """Names of the columns of the records of `month`."""
        file = self.file(records_file(month))
        return [] if file is None else list(pq.read_schema(self.folder / file.path).names)

    def read_traits(self) -> Iterator[pa.RecordBatch]:
        """The records of `TRAITS_FILE`."""
        file = self.file(TRAITS_FILE)
        if file is not None:
            yield from _read(self.folder, file, _TRAIT_SCHEMA)


def stored_import(folder: Path) -> StoredImport | None:
    """The import in `folder`, or None.

    Raises
    ------
    StorageError
        If its manifest is invalid, or a newer version of the platform stored it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        return None
    return StoredImport(folder, manifest, import_info(manifest, str(folder)))


def stored_imports(root: Path) -> list[StoredImport]:
    """All imports below `root`, by folder; errors as of `stored_import`."""
    folders = sorted(path for path in root.glob("[0-9a-f]*") if path.is_dir())
    return [found for folder in folders if (found := stored_import(folder)) is not None]


def replace_info(stored: StoredImport, info: ImportInfo) -> None:
    """Publish the files of an import again, with another info."""
    with Writer(stored.folder) as writer:
        for file in stored.manifest.files:
            link_or_copy(stored.folder / file.path, writer.staging / file.name)
        writer.publish(msgspec.to_builtins(info))


def records_file(month: str) -> str:
    """Name of the file with the records of `month`."""
    months.check(month)
    return f"{RECORDS}{month}.parquet"


def workouts_file(month: str) -> str:
    """Name of the file with the workouts of `month`."""
    months.check(month)
    return f"{WORKOUTS}{month}.parquet"


def write_traits(staging: Path, stored_months: Iterable[str]) -> str | None:
    """Write `TRAITS_FILE` from the files of records in `staging`; return its first month.

    Without any trait, no file is written and None is returned.
    """
    first = None
    with pq.ParquetWriter(staging / TRAITS_FILE, _TRAIT_SCHEMA) as file:
        for month in sorted(stored_months):
            records = pq.read_table(staging / records_file(month), columns=_TRAIT_COLUMNS)
            if any(records[name].null_count < len(records) for name in TRAITS):
                found = merge.trait_records(records)
                if found.num_rows:
                    file.write_table(found.cast(_TRAIT_SCHEMA))
                    first = first or month
    if first is None:
        (staging / TRAITS_FILE).unlink()
    return first


def version(imports: Sequence[StoredImport], month: str, order: SourceOrder = NO_ORDER) -> str:
    """A hash of what the merged records of `month` are made from, and by which `order`."""
    present = [each for each in imports if month in each.info.months]
    users = {user for each in present for user in each.info.users}
    files = [each.file(records_file(month)) for each in present]
    files += [each.file(TRAITS_FILE) for _, each in _with_earlier_traits(imports, month, users)]
    # Sorted: the order of the imports makes no difference to the merged records.
    if _decides_activity(imports, month, order):
        files += [each.file(workouts_file(month)) for each in imports]
    hashes = sorted(file.sha256 for file in files if file is not None)
    rule = [f"merge {_MERGE_VERSION}", *order.entries]
    return hashlib.sha256("\n".join([*rule, *hashes]).encode()).hexdigest()


def workouts_version(
    imports: Sequence[StoredImport], month: str, order: SourceOrder = NO_ORDER
) -> str:
    """A hash of the workouts of `month`, of all imports, and of the `order` that ranks them."""
    files = [each.file(workouts_file(month)) for each in imports]
    hashes = sorted(file.sha256 for file in files if file is not None)
    # A single import, or none, has nothing to be preferred to.
    rule = order.of_all() if len(hashes) > 1 else []
    return hashlib.sha256("\n".join(["workouts", *rule, *hashes]).encode()).hexdigest()


def _decides_activity(imports: Sequence[StoredImport], month: str, order: SourceOrder) -> bool:
    """Whether the workouts of several imports decide the main activity of days of `month`."""
    is_ordered = order.of_all() or order.of_measure("activity_type")
    return not is_ordered and sum(month in each.info.workouts for each in imports) > 1


def read_merged(
    imports: Sequence[StoredImport],
    month: str,
    users: Iterable[str] | None = None,
    order: SourceOrder = NO_ORDER,
) -> Iterator[pa.Table]:
    """The merged records of `month`, sorted by user and day.

    Parameters
    ----------
    imports : sequence of StoredImport
    month : str
    users : iterable of str, optional
        Only these.
    order : SourceOrder, optional
        The preferred sources.

    Returns
    -------
    iterator of Table
        The columns of the canonical record, with the optional ones that any import has, and for
        each column of values one that is named by `merge.origin_of`: the position in `imports` of
        the import that the value is from.
    """
    present = [each for each in imports if month in each.info.months]
    wanted = {user for each in present for user in each.info.users}
    if users is not None:
        wanted &= set(users)
    in_order = sorted(wanted)
    schema = stored_schema_of({name for each in present for name in each.columns(month)})
    records = sum(each.info.months[month] for each in present)
    size = max(1, len(in_order) // (1 + records // _MAX_RECORDS))
    activities = None
    if _decides_activity(imports, month, order):
        activities = MainActivities(
            {
                number: pa.Table.from_batches(each.read_workouts(month), workouts.SCHEMA)
                for number, each in enumerate(imports)
                if month in each.info.workouts
            }
        )
    for start in range(0, len(in_order), size):
        some = in_order[start : start + size]
        table = _numbered(
            ((number, each.read(month, schema)) for number, each in enumerate(imports)),
            some,
            schema,
            activities,
        )
        if table.num_rows:
            # Stored traits do not name their source.
            earlier = merge.merge_days(_earlier_traits(imports, month, some))
            yield merge.fill_traits(merge.merge_days(table, order), merge.last_traits(earlier))


def _earlier_traits(imports: Sequence[StoredImport], month: str, users: list[str]) -> pa.Table:
    earlier = _with_earlier_traits(imports, month, set(users))
    table = _numbered(
        ((number, each.read_traits()) for number, each in earlier), users, _TRAIT_SCHEMA
    )
    return table.filter(pc.less(table["date"], pa.scalar(months.start(month), pa.date32())))


def _with_earlier_traits(
    imports: Sequence[StoredImport], month: str, users: set[str]
) -> list[tuple[int, StoredImport]]:
    """The imports that know a trait of one of `users` before `month`, with their positions."""
    return [
        (number, each)
        for number, each in enumerate(imports)
        if each.info.traits_since is not None
        and each.info.traits_since < month
        and not users.isdisjoint(each.info.users)
    ]


def _numbered(
    numbered: Iterable[tuple[int, Iterator[pa.RecordBatch]]],
    users: list[str],
    schema: pa.Schema,
    activities: MainActivities | None = None,
) -> pa.Table:
    """One table of the batches of several imports, with the import's number as `merge.ORIGIN`.

    With `activities`, it has the column `LONGEST` too.
    """
    schema = schema.append(_ORIGIN_FIELD)
    if activities is not None:
        schema = schema.append(LONGEST)
    wanted = pa.array(users, pa.string())
    batches = []
    for number, delivered in numbered:
        for batch in delivered:
            some = batch.filter(pc.is_in(batch.column("user_id"), wanted))
            origin = pa.array([number] * some.num_rows, pa.int32())
            found = some.append_column(_ORIGIN_FIELD, origin)
            if activities is not None:
                found = found.append_column(LONGEST, activities.of(some, number))
            batches.append(found)
    return pa.Table.from_batches(batches, schema)


def _read(folder: Path, file: StoredFile, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The records of a stored file; a column that an older version did not store is null."""
    verify(folder / file.path, file)
    with pq.ParquetFile(folder / file.path) as records:
        for batch in records.iter_batches():
            stored = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns = [
                stored.get(field.name, pa.nulls(batch.num_rows, field.type)) for field in schema
            ]
            yield pa.record_batch(columns, schema=schema)
