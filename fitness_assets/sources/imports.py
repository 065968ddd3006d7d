"""Exports that were taken in: each kept unchanged, and read once into records by month."""

import hashlib
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA, ReportUnreadable
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.publication import Manifest, StoredFile, Writer, read_manifest, verify

#: Told of the bytes read, and of those there are to read.
Progress = Callable[[int, int], object]

_ORIGINAL = "original"
_RECORDS = "records-"
_REFUSED = "_refused"
_SHOWN = 16


@dataclass(frozen=True)
class Import:
    """One export that was taken in.

    Attributes
    ----------
    digest : str
        Of its content.
    name : str
        What it was called.
    months : dict
        Number of records by month.
    users : list of str
        Whose they are, by pseudonym.
    sources : list of str
        The formats they came in.
    left_out : list of dict
        ``file``, ``place`` and ``reason`` of what could not be used.
    whole : bool
        Whether the original is still kept: not where it held someone who was forgotten.
    """

    digest: str
    name: str
    months: dict[str, int]
    users: list[str]
    sources: list[str]
    left_out: list[dict[str, str]]
    whole: bool


class Imports:
    """The imports below one folder, and the source that reads them.

    Parameters
    ----------
    root : Path
        A folder with a folder an import.
    people : Pseudonyms
    """

    def __init__(self, root: Path, people: Pseudonyms) -> None:
        self._root = root
        self._people = people

    def add(
        self, path: Path, told: ImportOptions, progress: Progress = lambda _done, _total: None
    ) -> tuple[Import, set[str]]:
        """Take in the export at `path`: a file, a folder or a zip.

        Parameters
        ----------
        path : Path
            It stays as it is; a copy is kept.
        told : ImportOptions
            What it does not say itself. The user is told by name.
        progress : callable

        Returns
        -------
        Import
        set of str
            The months whose records are other than before; none where the same was taken in before.

        Raises
        ------
        SourceError
            If nothing of it can be used. Then nothing is kept.
        """
        if not path.exists():
            raise SourceError(f"{path} does not exist")
        digest = _digest(path)
        folder = self._root / digest[:_SHOWN]
        declared = self._declared(told)
        before = read_manifest(folder)
        if before is not None and before.info["told"] == declared:
            return _described(before), set()
        left_out: list[dict[str, str]] = []

        def quarantine(file: str, place: str, reason: str) -> None:
            left_out.append({"file": file, "place": place, "reason": reason})

        delivered = told.delivered or datetime.now(UTC).replace(microsecond=0)
        told = replace(told, delivered=delivered)
        with Writer(folder) as writer:
            batches = read(path, told, quarantine, progress)
            counts, users, sources = self._write(batches, writer.staging)
            _keep(path, writer.staging)
            manifest = writer.publish(
                {
                    "digest": digest,
                    "name": path.name,
                    "told": declared,
                    "delivered": delivered.isoformat(),
                    "months": counts,
                    "users": users,
                    "sources": sources,
                    "left_out": left_out,
                }
            )
        return _described(manifest), _changed(before, manifest)

    def all(self) -> list[Import]:
        """What was taken in, by name."""
        return sorted(
            (_described(manifest) for _, manifest in self._manifests()),
            key=lambda each: (each.name, each.digest),
        )

    def refuse(self, path: Path, reason: str) -> None:
        """Move what could not be used at all away from where it waited, and keep why."""
        with Writer(self._root / f"{_REFUSED}-{_digest(path)[:_SHOWN]}") as writer:
            _keep(path, writer.staging)
            told = [{"file": path.name, "place": "", "reason": reason}]
            writer.publish({"name": path.name, "left_out": told})
        remove(path)

    def refused(self) -> list[dict[str, str]]:
        """``file``, ``place`` and ``reason`` of what `refuse` was given."""
        found = (read_manifest(path) for path in sorted(self._root.glob(f"{_REFUSED}-*")))
        return [told for manifest in found if manifest for told in manifest.info["left_out"]]

    def months(self) -> list[str]:
        """The months of which there are records, in order."""
        return sorted({month for _, found in self._manifests() for month in found.info["months"]})

    def version(self, month: str) -> str:
        """A hash of all that `read` hands out of `month`: equal where that is equal."""
        parts = [
            file.sha256
            for _, manifest in self._manifests()
            for file in manifest.files
            if file.name == _file(month)
        ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def check(self) -> None:
        """Raise SourceError where nothing was taken in yet."""
        if not self._manifests():
            raise SourceError(f"{self._root} holds no imports; `fitness import PATH` adds one")

    def read(
        self,
        month: str,
        set_aside: ReportUnreadable | None = None,  # noqa: ARG002 - that was done when it was taken in
        /,
    ) -> Iterator[pa.RecordBatch]:
        """The records of `month` of all imports.

        Raises
        ------
        SourceError
            If there are none.
        """
        found = False
        for folder, manifest in self._manifests():
            for file in manifest.files:
                if file.name == _file(month):
                    found = True
                    yield from _batches(folder, file)
        if not found:
            raise SourceError(f"no import holds records of {month}")

    def forget(self, user: str) -> None:
        """Remove the records of `user`, and every original that held some."""
        for folder, manifest in self._manifests():
            if user not in manifest.info["users"]:
                continue
            if manifest.info["users"] == [user]:
                remove(folder)
                continue
            with Writer(folder) as writer:
                batches = (
                    batch.filter(pc.not_equal(batch.column("user_id"), user))
                    for file in manifest.files
                    if file.name.startswith(_RECORDS)
                    for batch in _batches(folder, file)
                )
                counts, users, _ = self._write(batches, writer.staging, known=True)
                writer.publish(manifest.info | {"months": counts, "users": users})

    def _write(
        self, batches: Iterator[pa.RecordBatch], staging: Path, *, known: bool = False
    ) -> tuple[dict[str, int], list[str], list[str]]:
        """Write records by month; how many they are, whose, and in which formats they came.

        Their users are names, unless they are `known` by their pseudonyms.
        """
        names: dict[str, str] = {}
        counts: dict[str, int] = {}
        users: set[str] = set()
        sources: set[str] = set()
        schema = SCHEMA.remove_metadata()
        with ExitStack() as stack:
            files: dict[str, pq.ParquetWriter] = {}
            for batch in batches:
                records = batch if known else self._pseudonymous(batch, names)
                records = self._people.without_forgotten(records)
                keys = pc.strftime(records.column("date"), format="%Y-%m")
                for month in pc.unique(keys).to_pylist():
                    part = records.filter(pc.equal(keys, month)).replace_schema_metadata(None)
                    if month not in files:
                        path = staging / _file(month)
                        files[month] = stack.enter_context(pq.ParquetWriter(path, schema))
                    files[month].write_batch(part)
                    counts[month] = counts.get(month, 0) + part.num_rows
                users |= set(pc.unique(records.column("user_id")).to_pylist())
                sources |= set(pc.unique(records.column("source")).to_pylist())
        return dict(sorted(counts.items())), sorted(users), sorted(sources)

    def _pseudonymous(self, batch: pa.RecordBatch, names: dict[str, str]) -> pa.RecordBatch:
        found = batch.column("user_id").dictionary_encode()
        for name in found.dictionary.to_pylist():
            if name not in names:
                names[name] = self._people.pseudonym(name)
        hidden = pa.array([names[name] for name in found.dictionary.to_pylist()], pa.string())
        index = batch.schema.get_field_index("user_id")
        return batch.set_column(index, SCHEMA.field("user_id"), hidden.take(found.indices))

    def _declared(self, told: ImportOptions) -> dict[str, Any]:
        """What was told of an export, as its manifest keeps it: of the person no name."""
        return {
            "user": self._people.pseudonym(told.user) if told.user else None,
            "zone": told.zone.key,
            "zones": {stream: zone.key for stream, zone in sorted(told.zones.items())},
            "layout": json.loads(json.dumps(told.layout and asdict(told.layout), default=sorted)),
        }

    def _manifests(self) -> list[tuple[Path, Manifest]]:
        folders = sorted(path for path in self._root.glob("[0-9a-f]*") if path.is_dir())
        found = ((folder, read_manifest(folder)) for folder in folders)
        return [(folder, manifest) for folder, manifest in found if manifest is not None]


def _file(month: str) -> str:
    months.start(month)
    return f"{_RECORDS}{month}.parquet"


def _batches(folder: Path, file: StoredFile) -> Iterator[pa.RecordBatch]:
    verify(folder / file.path, file)
    with pq.ParquetFile(folder / file.path) as records:
        for batch in records.iter_batches():
            yield pa.record_batch(batch.columns, schema=SCHEMA)


def _digest(path: Path) -> str:
    """Of a file its SHA-256; of a folder that of its files' names and hashes."""
    if path.is_file():
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    told = hashlib.sha256()
    for file in _files(path):
        told.update(f"{file.relative_to(path).as_posix()}\0{_digest(file)}\n".encode())
    return told.hexdigest()


def _files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and not p.is_symlink())


def _keep(path: Path, staging: Path) -> None:
    """Copy `path` into `staging` as it is; the files of a folder into a zip that packs nothing."""
    if path.is_file():
        shutil.copyfile(path, staging / f"{_ORIGINAL}{''.join(path.suffixes[-1:])}")
        return
    with zipfile.ZipFile(staging / f"{_ORIGINAL}.zip", "w", zipfile.ZIP_STORED) as archive:
        for file in _files(path):
            archive.write(file, file.relative_to(path).as_posix())


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _described(manifest: Manifest) -> Import:
    info = manifest.info
    return Import(
        digest=info["digest"],
        name=info["name"],
        months=info["months"],
        users=info["users"],
        sources=info["sources"],
        left_out=info["left_out"],
        whole=any(file.name.startswith(_ORIGINAL) for file in manifest.files),
    )


def _changed(before: Manifest | None, after: Manifest) -> set[str]:
    def records(manifest: Manifest | None) -> dict[str, str]:
        files = manifest.files if manifest else ()
        return {file.name: file.sha256 for file in files if file.name.startswith(_RECORDS)}

    then, now = records(before), records(after)
    names = {name for name in then.keys() | now.keys() if then.get(name) != now.get(name)}
    return {name.removeprefix(_RECORDS).removesuffix(".parquet") for name in names}
