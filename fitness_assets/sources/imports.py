"""Imported exports: each original is kept unchanged, and read once into records by month."""

import hashlib
import json
import shutil
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets import clock, months
from fitness_assets.errors import SourceError
from fitness_assets.record import wear
from fitness_assets.record.raw import RANGES, SCHEMA, ReportUnreadable
from fitness_assets.record.user_ids import normalize_user_id
from fitness_assets.sources.exports.callbacks import Progress, Quarantine
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import LimitedQuarantine, read_export
from fitness_assets.sources.import_manifest import (
    ImportInfo,
    QuarantineEntry,
    RejectedInfo,
    StoredOptions,
    import_info,
    rejected_info,
)
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.publication import Manifest, StoredFile, Writer, read_manifest, verify

if TYPE_CHECKING:
    from fitness_assets.sources.exports.report import FileReport

_ORIGINAL = "original"
_RECORDS = "records-"
_REJECTED = "_refused"
# Digits of the digest in the name of an import's folder.
_DIGEST_DIGITS = 16


class Imports:
    """The imports in one folder, and the source that reads them.

    Parameters
    ----------
    root : Path
        A folder with one folder per import.
    pseudonyms : Pseudonyms
    """

    def __init__(self, root: Path, pseudonyms: Pseudonyms) -> None:
        self._root = root
        self._pseudonyms = pseudonyms

    def add(
        self, path: Path, options: ImportOptions, progress: Progress = lambda _done, _total: None
    ) -> tuple[ImportInfo, set[str]]:
        """Import the export at `path`: a file, a folder or a zip.

        Parameters
        ----------
        path : Path
            It is not changed; a copy is kept.
        options : ImportOptions
            What the export does not state itself. `options.user` is a name, not a pseudonym.
        progress : callable

        Returns
        -------
        ImportInfo
        set of str
            The months whose records changed; empty if the same export was imported before.

        Raises
        ------
        SourceError
            If no part of it can be used. Then nothing is kept.
        """
        if not path.exists():
            raise SourceError(f"{path} does not exist")
        digest = _digest(path)
        folder = self._root / digest[:_DIGEST_DIGITS]
        stored_options = self._stored_options(options)
        before = self._published(folder)
        if before is not None and before.info.options == stored_options:
            return before.info, set()
        quarantined: list[QuarantineEntry] = []
        files: list[FileReport] = []

        def quarantine(file: str, place: str, reason: str) -> None:
            quarantined.append(QuarantineEntry(file=file, place=place, reason=reason))

        delivered = options.delivered or clock.now().replace(microsecond=0)
        options = replace(options, delivered=delivered)
        with Writer(folder) as writer:
            batches = read_export(path, options, quarantine, progress, files.append)
            not_worn: Counter[str] = Counter()
            counts, users, sources = self._write_records(
                _reporting_implausible(
                    _counting_not_worn(self._pseudonymized(batches, quarantine), not_worn),
                    quarantine,
                ),
                writer.staging,
            )
            _copy_original(path, writer.staging)
            info = ImportInfo(
                digest=digest,
                name=path.name,
                options=stored_options,
                delivered=delivered,
                months=counts,
                users=users,
                sources=sources,
                quarantined=quarantined,
                files=files,
                not_worn=dict(not_worn),
            )
            manifest = writer.publish(msgspec.to_builtins(info))
        return info, _changed_months(before.manifest if before else None, manifest)

    def all(self) -> list[ImportInfo]:
        """All imports, by name."""
        infos = (published.info for published in self._all_published())
        return sorted(infos, key=lambda info: (info.name, info.digest))

    def reject(self, path: Path, reason: str) -> None:
        """Move a file that cannot be imported out of the inbox, and store the reason."""
        folder = self._root / f"{_REJECTED}-{_digest(path)[:_DIGEST_DIGITS]}"
        entry = QuarantineEntry(file=path.name, place="", reason=reason)
        with Writer(folder) as writer:
            _copy_original(path, writer.staging)
            info = RejectedInfo(name=path.name, quarantined=[entry])
            writer.publish(msgspec.to_builtins(info))
        remove(path)

    def rejected(self) -> list[QuarantineEntry]:
        """The files given to `reject`, with the reasons."""
        return [
            entry
            for folder in sorted(self._root.glob(f"{_REJECTED}-*"))
            if (manifest := read_manifest(folder)) is not None
            for entry in rejected_info(manifest, str(folder)).quarantined
        ]

    def months(self) -> list[str]:
        """The months that have records, in order."""
        return sorted({month for found in self._all_published() for month in found.info.months})

    def version(self, month: str) -> str:
        """A hash of the records that `read` gives for `month`."""
        hashes = [
            file.sha256
            for published in self._all_published()
            for file in published.manifest.files
            if file.name == _records_file(month)
        ]
        return hashlib.sha256("\n".join(hashes).encode()).hexdigest()

    def check(self) -> None:
        """Raise SourceError if there are no imports."""
        if not self._all_published():
            raise SourceError(f"{self._root} holds no imports; `fitness import PATH` adds one")

    def read(
        self,
        month: str,
        report_unreadable: ReportUnreadable | None = None,  # noqa: ARG002 - reported by `add`
        /,
    ) -> Iterator[pa.RecordBatch]:
        """Read the records of `month` from all imports.

        Raises
        ------
        SourceError
            If there are none.
        """
        found = False
        for published in self._all_published():
            for file in published.manifest.files:
                if file.name == _records_file(month):
                    found = True
                    yield from _read_records(published.folder, file)
        if not found:
            raise SourceError(f"no import holds records of {month}")

    def forget(self, user: str) -> None:
        """Remove the records of `user`, and every original that contains some."""
        for published in self._all_published():
            if user not in published.info.users:
                continue
            if published.info.users == [user]:
                remove(published.folder)
                continue
            with Writer(published.folder) as writer:
                batches = (
                    batch.filter(pc.not_equal(batch.column("user_id"), user))
                    for file in published.manifest.files
                    if file.name.startswith(_RECORDS)
                    for batch in _read_records(published.folder, file)
                )
                counts, users, _ = self._write_records(batches, writer.staging)
                info = msgspec.structs.replace(published.info, months=counts, users=users)
                writer.publish(msgspec.to_builtins(info))

    def _write_records(
        self, batches: Iterator[pa.RecordBatch], staging: Path
    ) -> tuple[dict[str, int], list[str], list[str]]:
        """Write one file per month; the number of records by month, the users and the formats."""
        counts: dict[str, int] = {}
        users: set[str] = set()
        sources: set[str] = set()
        schema = SCHEMA.remove_metadata()
        with ExitStack() as stack:
            files: dict[str, pq.ParquetWriter] = {}
            for batch in batches:
                records = self._pseudonyms.drop_forgotten(batch)
                keys = pc.strftime(records.column("date"), format="%Y-%m")
                for month in pc.unique(keys).to_pylist():
                    part = records.filter(pc.equal(keys, month)).replace_schema_metadata(None)
                    if month not in files:
                        path = staging / _records_file(month)
                        files[month] = stack.enter_context(pq.ParquetWriter(path, schema))
                    files[month].write_batch(part)
                    counts[month] = counts.get(month, 0) + part.num_rows
                users |= set(pc.unique(records.column("user_id")).to_pylist())
                sources |= set(pc.unique(records.column("source")).to_pylist())
        return dict(sorted(counts.items())), sorted(users), sorted(sources)

    def _pseudonymized(
        self, batches: Iterator[pa.RecordBatch], quarantine: Quarantine
    ) -> Iterator[pa.RecordBatch]:
        """The records with pseudonyms in place of names."""
        by_name: dict[str, str] = {}
        earlier_users = {user for found in self._all_published() for user in found.info.users}
        index = SCHEMA.get_field_index("user_id")
        for batch in batches:
            users = batch.column("user_id").dictionary_encode()
            names = users.dictionary.to_pylist()
            for name in names:
                if name not in by_name:
                    by_name[name] = self._pseudonyms.pseudonym(name)
                    self._report_other_spelling(name, earlier_users, quarantine)
            pseudonyms = pa.array([by_name[name] for name in names], pa.string())
            column = pseudonyms.take(users.indices)
            yield batch.set_column(index, SCHEMA.field("user_id"), column)

    def _report_other_spelling(
        self, name: str, earlier_users: set[str], quarantine: Quarantine
    ) -> None:
        """Report a user whom an earlier version imported under another pseudonym.

        It did not normalize names, so each spelling that looks the same had a pseudonym.
        """
        normalized = normalize_user_id(name)
        decomposed = unicodedata.normalize("NFD", normalized)
        for spelling in {name, decomposed, f"\ufeff{normalized}", f"{normalized}\u00a0"}:
            pseudonym = self._pseudonyms.pseudonym_as_written(spelling)
            if spelling != normalized and pseudonym in earlier_users:
                current = self._pseudonyms.pseudonym(name)
                quarantine(
                    "user id",
                    current,
                    f"an earlier import has the same user as {pseudonym}, written with other "
                    "spaces, invisible characters or Unicode form: their records are kept apart; "
                    f"`fitness forget {pseudonym}` and import that export again",
                )

    def _stored_options(self, options: ImportOptions) -> StoredOptions:
        layout = options.layout and asdict(options.layout)
        return StoredOptions(
            user=self._pseudonyms.pseudonym(options.user) if options.user else None,
            zone=options.zone.key if options.zone else None,
            zones={stream: zone.key for stream, zone in sorted(options.zones.items())},
            layout=json.loads(json.dumps(layout, default=sorted)),
            source_order=list(options.source_order),
        )

    def _published(self, folder: Path) -> "_Published | None":
        manifest = read_manifest(folder)
        if manifest is None:
            return None
        return _Published(folder, manifest, import_info(manifest, str(folder)))

    def _all_published(self) -> "list[_Published]":
        folders = sorted(path for path in self._root.glob("[0-9a-f]*") if path.is_dir())
        return [found for folder in folders if (found := self._published(folder)) is not None]


@dataclass(frozen=True)
class _Published:
    """An import as it is stored."""

    folder: Path
    manifest: Manifest
    info: ImportInfo


def _counting_not_worn(
    batches: Iterator[pa.RecordBatch], counts: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """The records, unchanged; adds those of days not worn to `counts`, by source."""
    for batch in batches:
        not_worn = batch.filter(pa.array(wear.not_worn(batch)))
        counts.update(source or "records" for source in not_worn.column("source").to_pylist())
        yield batch


def _reporting_implausible(
    batches: Iterator[pa.RecordBatch], quarantine: Quarantine
) -> Iterator[pa.RecordBatch]:
    """The records, unchanged; reports each value that the ETL will replace by null."""
    limited = LimitedQuarantine(quarantine)
    for batch in batches:
        for name, (low, high) in RANGES.items():
            values = batch.column(name)
            outside = pc.or_(pc.less(values, low), pc.greater(values, high)).fill_null(False)
            for record in batch.filter(outside).to_pylist():
                limited(
                    record["source"] or "records",
                    f"{record['user_id']}, {record['date']}",
                    f"{name} is {record[name]:g}, not in {low:,} to {high:,}: null in the lake",
                )
        yield batch
    limited.report_counts()


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _records_file(month: str) -> str:
    months.start(month)  # raises if it is not a month
    return f"{_RECORDS}{month}.parquet"


def _read_records(folder: Path, file: StoredFile) -> Iterator[pa.RecordBatch]:
    verify(folder / file.path, file)
    with pq.ParquetFile(folder / file.path) as records:
        for batch in records.iter_batches():
            # An import of an older version may lack a column.
            stored = dict(zip(batch.schema.names, batch.columns, strict=True))
            columns = [
                stored.get(field.name, pa.nulls(batch.num_rows, field.type)) for field in SCHEMA
            ]
            yield pa.record_batch(columns, schema=SCHEMA)


def _digest(path: Path) -> str:
    """SHA-256 of a file; for a folder, of its files' names and hashes."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    digest = hashlib.sha256()
    for file in _files(path):
        digest.update(f"{file.relative_to(path).as_posix()}\0{_digest(file)}\n".encode())
    return digest.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _copy_original(path: Path, staging: Path) -> None:
    """Copy a file to `staging`; a folder becomes an uncompressed zip."""
    if path.is_file():
        shutil.copyfile(path, staging / f"{_ORIGINAL}{''.join(path.suffixes[-1:])}")
        return
    with zipfile.ZipFile(staging / f"{_ORIGINAL}.zip", "w", zipfile.ZIP_STORED) as archive:
        for file in _files(path):
            archive.write(file, file.relative_to(path).as_posix())


def _changed_months(before: Manifest | None, after: Manifest) -> set[str]:
    """The months whose files of records differ between two manifests of one import."""

    def hashes(manifest: Manifest | None) -> dict[str, str]:
        files = manifest.files if manifest else ()
        return {file.name: file.sha256 for file in files if file.name.startswith(_RECORDS)}

    old, new = hashes(before), hashes(after)
    names = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return {name.removeprefix(_RECORDS).removesuffix(".parquet") for name in names}
