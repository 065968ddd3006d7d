"""The lake: monthly Parquet tables in ``year=YYYY/month=MM`` folders, published by manifest.

A large month is written in buckets of users, a file each (`record.buckets`).
"""

import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Generic, TypeVar

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.record import raw
from fitness_assets.record.buckets import EVERYONE, Bucket, count_of
from fitness_assets.record.distribution import Distribution
from fitness_assets.storage import documents
from fitness_assets.storage.links import link_or_copy
from fitness_assets.storage.locations import Location, ObjectPath, folder_names
from fitness_assets.storage.parts import Counter, Part, files_of_bucket, read_file
from fitness_assets.storage.publication import Manifest, read_manifest, verify
from fitness_assets.storage.writer import Writer

# How often a reader starts again because the month was published again while it was read.
_ATTEMPTS = 100


class TableInfo(msgspec.Struct, frozen=True, kw_only=True):
    """The info of a month's manifest.

    Attributes
    ----------
    rows : int
    columns : dict of str to str
        Arrow type by name, in order.
    partial_until : date, optional
        Last day so far of a month that had not ended when its records were read. It is not stored
        of a whole month, so that the data version of a whole month does not depend on it.
    buckets : int, optional
        The number of buckets, of which each file has one, in order. It is not stored of a month
        whose files are not buckets.
    """

    rows: int
    columns: dict[str, str]
    partial_until: date | msgspec.UnsetType = msgspec.UNSET
    buckets: int | msgspec.UnsetType = msgspec.UNSET

    @property
    def bucket_count(self) -> int:
        """The number of buckets; one if the month is not written in buckets."""
        return 1 if self.buckets is msgspec.UNSET else self.buckets

    @property
    def last_day_so_far(self) -> date | None:
        """The last day so far of a partial month; None if the month is whole."""
        return None if self.partial_until is msgspec.UNSET else self.partial_until


class RawInfo(TableInfo, frozen=True, kw_only=True):
    """The info of a month of `raw_telemetry`.

    Attributes
    ----------
    unread : dict of str to str
        Files of the source that could not be read, with the reason.
    source_version : str or None
        Version of the month in the source; None if the source has no versions.
    """

    unread: dict[str, str] = {}
    source_version: str | None = None

    @property
    def is_imported(self) -> bool:
        """Whether its records are imported exports, the only source that has versions."""
        return self.source_version is not None


class DailyInfo(TableInfo, frozen=True, kw_only=True):
    """The info of a month of `daily_activity`.

    Attributes
    ----------
    distributions : dict of str to Distribution
        By column, for the drift check of the next month.
    """

    distributions: dict[str, Distribution]


Info_co = TypeVar("Info_co", bound=TableInfo, covariant=True)


@dataclass(frozen=True)
class Scan:
    """Rows of the lake, and how many bytes were read for them.

    Attributes
    ----------
    table : Table
    bytes_read : int
        Of the files: their footers and the requested columns.
    """

    table: pa.Table
    bytes_read: int


@dataclass(frozen=True)
class Pinned:
    """Files of a month that keep their content. See `Lake.pin`.

    Attributes
    ----------
    paths : tuple of Path or ObjectPath
    info : TableInfo
    """

    paths: tuple[Location, ...]
    info: TableInfo

    def part(self, bucket: Bucket) -> Part:
        """The files with the rows of `bucket`."""
        return Part(*files_of_bucket(self.paths, self.info.bucket_count, bucket))


class Lake(Generic[Info_co]):
    """One table of the lake.

    Parameters
    ----------
    root : Path or ObjectPath
        The table's folder.
    info_type : type
        Structure of the info of its manifests.
    """

    def __init__(self, root: Location, info_type: type[Info_co]) -> None:
        self.root = root
        self._info_type = info_type

    def folder(self, month: str) -> Location:
        """The folder of `month`."""
        first = months.start(month)
        return self.root / f"year={first:%Y}" / f"month={first:%m}"

    def months(self) -> list[str]:
        """The months that have a folder, in order."""
        keys = (
            f"{year.removeprefix('year=')}-{month.removeprefix('month=')}"
            for year in folder_names(self.root)
            for month in folder_names(self.root / year)
        )
        return sorted(filter(months.is_key, keys))

    def listed(self, window: Iterable[str]) -> list[str]:
        """Those of `months` that are in `window`.

        Most months of a window of years may have nothing. An object store would be asked for the
        manifest of each.
        """
        wanted = set(window)
        return [month for month in self.months() if month in wanted]

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of `month`, or None."""
        return read_manifest(self.folder(month))

    def published(self, month: str) -> Manifest:
        """The manifest of `month`; StorageError if nothing is published."""
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; run `fitness backfill {month}`")
        return manifest

    def info(self, month: str) -> Info_co:
        """The info of the manifest of `month`; StorageError if nothing is published."""
        return self._info(month, self.published(month))

    def _info(self, month: str, manifest: Manifest) -> Info_co:
        name = f"the manifest of {self.root.name} of {month}"
        return documents.convert(manifest.info, self._info_type, name)

    def files(self, month: str) -> list[Location]:
        """The published files of `month`; StorageError if nothing is published."""
        return [self.folder(month) / file.path for file in self.published(month).files]

    def pin(self, month: str, folder: Path) -> Pinned:
        """Link the files of `month` into `folder`, verify them, and return the links.

        The links, or copies where the file system has no hard links, keep their content when the
        month is published again. They are for readers that open files late, such as Spark. What is
        in an object store needs no link: it stays for a while after the month is published again.
        """
        for manifest in self._manifests(month):
            source = self.folder(month)
            if isinstance(source, ObjectPath):
                stored = tuple(source / file.path for file in manifest.files)
                return Pinned(stored, self._info(month, manifest))
            target = folder / month / manifest.data_version
            target.mkdir(parents=True, exist_ok=True)
            try:
                for file in manifest.files:
                    link_or_copy(source / file.path, target / file.name)
            except FileNotFoundError:
                shutil.rmtree(target)
                continue
            for file in manifest.files:
                verify(target / file.name, file)
            paths = tuple(target / file.name for file in manifest.files)
            return Pinned(paths, self._info(month, manifest))
        raise StorageError(f"{self.folder(month)} lacks a file of its manifest")

    def writer(self, month: str) -> Writer:
        """The writer of `month`. Publish a `TableInfo` that `describe` returned, or extends it."""
        return Writer(self.folder(month))

    def scan(
        self,
        months: Sequence[str],
        columns: Sequence[str] | None = None,
        bucket: Bucket = EVERYONE,
    ) -> Scan:
        """Read `columns`, or all, of the users of `bucket` in `months`, in order.

        Of other files and columns nothing is read. An optional column of the record that a month
        does not have is null in its rows.

        Raises
        ------
        StorageError
            If a month is not in the lake, or its files differ from its manifest.
        """
        parts = [self._read(month, columns, bucket) for month in months]
        table = pa.concat_tables([p.table for p in parts], promote_options="default")
        return Scan(table, sum(p.bytes_read for p in parts))

    def scan_buckets(self, months: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Table]:
        """Read `columns` of all users in `months`, one bucket after the other.

        The buckets are those of the month that has the most of them.

        Raises
        ------
        StorageError
            As `scan`, or if a month was published again meanwhile: some users would be as before.
        """
        count = max(self.info(month).bucket_count for month in months)
        return self._one_by_one(months, columns, [Bucket(index, count) for index in range(count)])

    def scan_users(
        self, month: str, columns: Sequence[str] | None, users: Collection[str]
    ) -> pa.Table:
        """Read `columns`, which have ``user_id``, or all, of the rows of `users` in `month`.

        Of a month in buckets only theirs are read, one after the other.

        Raises
        ------
        StorageError
            As `scan_buckets`.
        """
        wanted = pa.array(sorted(users), pa.string())
        count = self.info(month).bucket_count
        # Without users, one bucket has the columns.
        buckets = sorted({Bucket.of(user, count) for user in users} or {Bucket(0, count)})
        tables = self._one_by_one([month], columns, buckets)
        return pa.concat_tables(
            table.filter(pc.is_in(table["user_id"], value_set=wanted)) for table in tables
        )

    def _one_by_one(
        self, months: Sequence[str], columns: Sequence[str] | None, buckets: Sequence[Bucket]
    ) -> Iterator[pa.Table]:
        versions = {month: self.published(month).data_version for month in months}
        for bucket in buckets:
            yield self.scan(months, columns, bucket).table
        for month, version in versions.items():
            if self.published(month).data_version != version:
                raise StorageError(
                    f"{self.root.name} of {month} was published again while it was read; run this "
                    "again"
                )

    def sample(self, months: Sequence[str], rows: int) -> Bucket:
        """The largest bucket 0 whose users have at most about `rows` rows in `months` together.

        That of fewer rows is within that of more: months that are sampled separately have users in
        common.
        """
        return Bucket(0, count_of(sum(self.info(month).rows for month in months), rows))

    def bucket_of(self, user: str, month: str) -> Bucket:
        """The bucket of `month` that has the days of `user`."""
        return Bucket.of(user, self.info(month).bucket_count)

    def _manifests(self, month: str) -> Iterator[Manifest]:
        """The manifest, and the next one if the month was published again meanwhile.

        A writer deletes a file after it has replaced the manifest that names it. So if a file is
        missing and the manifest is the same, the month is damaged, and there is no other.
        """
        before = None
        for _ in range(_ATTEMPTS):
            manifest = self.published(month)
            if manifest == before:
                return
            yield manifest
            before = manifest

    def _read(self, month: str, columns: Sequence[str] | None, bucket: Bucket) -> Scan:
        for manifest in self._manifests(month):
            counter = Counter()
            info = self._info(month, manifest)
            missing = raw.optional_in(set(columns or ()) - info.columns.keys())
            requested = None if columns is None else [n for n in columns if n not in missing]
            if requested == []:
                # Without any column, Arrow does not count the rows.
                requested = list(info.columns)[:1]
            files, kept = files_of_bucket(manifest.files, info.bucket_count, bucket)
            try:
                tables = [
                    read_file(self.folder(month) / file.path, file.bytes, requested, counter, kept)
                    for file in files
                ]
            except FileNotFoundError:
                continue
            table = pa.concat_tables(tables)
            found = {field.name: str(field.type) for field in table.schema}
            names = info.columns if requested is None else requested
            expected = {name: info.columns.get(name) for name in names}
            rows = info.rows if bucket == EVERYONE else table.num_rows
            if (table.num_rows, found) != (rows, expected):
                raise StorageError(
                    f"{self.folder(month)} differs from its manifest in rows or columns"
                )
            for name in missing:
                nulls = pa.nulls(len(table), raw.FULL_SCHEMA.field(name).type)
                table = table.append_column(name, nulls)
            return Scan(table if columns is None else table.select(list(columns)), counter.bytes)
        raise StorageError(f"{self.folder(month)} lacks a file of its manifest")


def describe(staging: Path) -> TableInfo:
    """The rows and columns of the staged Parquet files, of which each has one bucket."""
    paths = sorted(staging.glob("*.parquet"))
    schema = pq.read_schema(paths[0])
    return TableInfo(
        rows=sum(pq.read_metadata(path).num_rows for path in paths),
        columns={field.name: str(field.type) for field in schema},
        buckets=len(paths) if len(paths) > 1 else msgspec.UNSET,
    )


def read_staged(staging: Path, columns: Sequence[str]) -> pa.Table:
    """Columns of the staged files."""
    return pa.concat_tables(
        [
            read_file(path, path.stat().st_size, list(columns), Counter(), None)
            for path in sorted(staging.glob("*.parquet"))
        ]
    )
