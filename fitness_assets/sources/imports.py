"""Imported exports: each original is kept unchanged, and read once into records by month."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import clock
from fitness_assets.errors import ForgottenUserError, SourceError
from fitness_assets.record import workouts
from fitness_assets.record.raw import SCHEMA, ReportUnreadable, schema_of
from fitness_assets.record.user_ids import normalize_user_id, spellings
from fitness_assets.sources import import_store, originals
from fitness_assets.sources.exports.callbacks import Progress, Quarantine
from fitness_assets.sources.exports.layout import as_json_values
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.import_findings import counting_not_worn, reporting_implausible
from fitness_assets.sources.import_manifest import (
    READER_VERSION,
    ImportInfo,
    QuarantineEntry,
    RejectedInfo,
    StoredOptions,
    check_size,
    rejected_info,
    without_user,
)
from fitness_assets.sources.import_store import (
    StoredImport,
    stored_imports,
)
from fitness_assets.sources.import_writer import write_records
from fitness_assets.sources.merge import VALUES, origin_of
from fitness_assets.sources.preferred import NO_ORDER, SourceOrder
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.imported_names import MAX_NAMES, ImportedNames
from fitness_assets.storage.publication import read_manifest
from fitness_assets.storage.traces import Traces
from fitness_assets.storage.writer import Writer
from fitness_assets.text import printable

if TYPE_CHECKING:
    from fitness_assets.sources.exports.report import FileReport

_REJECTED = "_refused"
_FORGOTTEN = "it has only data of users who were forgotten; nothing is imported"
# Between two deliveries at the same time.
_MOMENT = timedelta(microseconds=1)
# Digits of the digest in the name of an import's folder.
_DIGEST_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class DayOrigins:
    """Which imports the record of one day is from.

    Attributes
    ----------
    day : date
    columns : dict of str to list of str
        By digest of the import, the columns whose values are from it.
    """

    day: date
    columns: dict[str, list[str]]


class Imports:
    """The imports in one folder, and the source that reads them.

    Parameters
    ----------
    root : Path
        A folder with one folder per import.
    pseudonyms : Pseudonyms
    names : ImportedNames, optional
        Where to store the names of the users; by default nowhere.
    order : SourceOrder, optional
        The preferred sources.
    """

    def __init__(
        self,
        root: Path,
        pseudonyms: Pseudonyms,
        names: ImportedNames | None = None,
        order: SourceOrder = NO_ORDER,
    ) -> None:
        self._root = root
        self._pseudonyms = pseudonyms
        self._names = names
        self._order = order

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
        ForgottenUserError
            If all of its users were forgotten. Then nothing is kept.
        SourceError
            If no part of it can be used, or it is a link, a pipe, a device or a socket. Then
            nothing is kept.
        ExportChangedError
            If it changed meanwhile. Nothing is kept either.
        """
        try:
            before_import = originals.snapshot(path)
            digest = originals.digest(path)
        except FileNotFoundError:
            raise SourceError(f"{path} does not exist") from None
        except OSError as error:
            raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error
        folder = self._root / digest[:_DIGEST_DIGITS]
        if options.user is not None and self._is_forgotten(options.user):
            raise ForgottenUserError(_FORGOTTEN)
        stored_options = self._stored_options(options)
        others = stored_imports(self._root)
        before = next((each for each in others if each.folder == folder), None)
        delivered = options.delivered or _after_all(others)
        older_reader = None
        if before is not None and before.info.options == stored_options:
            if before.info.reader >= READER_VERSION:
                # A version that stored no names may have imported it.
                if options.user is not None:
                    self._add_names({options.user: self._pseudonyms.pseudonym(options.user)})
                return before.info, set()
            # The same delivery, read again: it must not win over what was delivered since.
            delivered, older_reader = before.info.delivered, before.info.reader
        quarantined: list[QuarantineEntry] = []
        files: list[FileReport] = []

        def quarantine(file: str, place: str, reason: str) -> None:
            quarantined.append(QuarantineEntry(file=file, place=place, reason=reason))

        options = replace(options, delivered=delivered)
        with Writer(folder) as writer:
            rows: list[pa.RecordBatch] = []
            batches = read_export(
                path, options, quarantine, progress, files.append, workouts=rows.append
            )
            not_worn: Counter[str] = Counter()
            names: dict[str, str] = {}
            content = write_records(
                reporting_implausible(
                    counting_not_worn(self._pseudonymized(batches, names, quarantine), not_worn),
                    quarantine,
                ),
                reporting_implausible(
                    self._pseudonymized(iter(rows), names, quarantine),
                    quarantine,
                    tuple(workouts.NUMBERS.values()),
                ),
                writer.staging,
                self._pseudonyms,
            )
            if content.dropped and not content.users:
                raise ForgottenUserError(_FORGOTTEN)
            if not content.dropped:
                originals.copy(path, writer.staging)
            originals.check_unchanged(path, before_import)
            info = ImportInfo(
                digest=digest,
                name=printable(path.name),
                options=stored_options,
                delivered=delivered,
                months=content.months,
                users=content.users,
                sources=content.sources,
                quarantined=quarantined,
                files=files,
                workouts=content.workouts,
                not_worn=dict(not_worn),
                traits_since=content.traits_since,
                reader=READER_VERSION,
                older_reader=older_reader,
            )
            if content.dropped:
                info = without_user(info, self._traces_of_forgotten(names))
            check_size(info)
            writer.publish(msgspec.to_builtins(info))
        self._add_names(names)
        return info, _changed_months(others, stored_imports(self._root))

    def _add_names(self, names: Mapping[str, str]) -> None:
        """Store the names, whose values are the pseudonyms, of users who are not forgotten."""
        if self._names is None or len(names) > MAX_NAMES:
            return
        is_forgotten = self._pseudonyms.forgotten()
        kept = {user: name for name, user in names.items() if not is_forgotten(user)}
        self._names.add(kept)

    def all(self) -> list[ImportInfo]:
        """All imports, by name."""
        infos = (each.info for each in stored_imports(self._root))
        return sorted(infos, key=lambda info: (info.name, info.digest))

    def reject(self, path: Path, reason: str, user: str | None = None) -> None:
        """Store a copy of an export that cannot be imported, with the reason.

        `user` is the name of the user who is known to have delivered it.

        Raises
        ------
        OSError
            If it cannot be read.
        """
        folder = self._rejected_folder(originals.digest(path))
        with Writer(folder) as writer:
            originals.copy(path, writer.staging)
            owner = self._pseudonyms.pseudonym(user) if user else None
            writer.publish(_rejected(path.name, reason, owner))

    def report_unreadable(self, name: str, reason: str) -> None:
        """Store why the export `name` cannot even be copied."""
        with Writer(self._unreadable_folder(name)) as writer:
            writer.publish(_rejected(name, reason))

    def clear_unreadable(self, name: str) -> None:
        """Remove what `report_unreadable` stored of `name`."""
        folder = self._unreadable_folder(name)
        if folder.exists():
            originals.remove(folder)

    def _unreadable_folder(self, name: str) -> Path:
        return self._rejected_folder(hashlib.sha256(name.encode()).hexdigest())

    def _rejected_folder(self, digest: str) -> Path:
        return self._root / f"{_REJECTED}-{digest[:_DIGEST_DIGITS]}"

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
        return sorted({month for each in stored_imports(self._root) for month in each.info.months})

    def version(self, month: str) -> str:
        """A hash of the records that `read` gives for `month`."""
        return import_store.version(stored_imports(self._root), month, self._order)

    def check(self) -> None:
        """Raise SourceError if there are no imports."""
        if not stored_imports(self._root):
            raise SourceError(f"{self._root} holds no imports; `fitness import PATH` adds one")

    def read(
        self,
        month: str,
        report_unreadable: ReportUnreadable | None = None,  # noqa: ARG002 - reported by `add`
        /,
    ) -> Iterator[pa.RecordBatch]:
        """Read the records of `month`, one per user and day, merged from all imports.

        Raises
        ------
        SourceError
            If there are none.
        """
        found = False
        for days in import_store.read_merged(stored_imports(self._root), month, order=self._order):
            found = True
            schema = schema_of(days.column_names)
            yield from days.select(schema.names).cast(schema).to_batches()
        if not found:
            raise SourceError(f"no import holds records of {month}")

    def read_workouts(self, month: str) -> Iterator[pa.RecordBatch]:
        """Read the workouts of `month` of all imports, as they were delivered."""
        for each in stored_imports(self._root):
            yield from each.read_workouts(month)

    def workouts_version(self, month: str) -> str:
        """A hash of what `read_workouts` gives for `month`, and of the preferred sources."""
        return import_store.workouts_version(stored_imports(self._root), month, self._order)

    def origins(self, user: str, month: str) -> Iterator[DayOrigins]:
        """Which import each value of the days of a user is from, by day.

        Parameters
        ----------
        user : str
            A pseudonym.
        month : str
        """
        imports = stored_imports(self._root)
        for days in import_store.read_merged(imports, month, [user], self._order):
            for day in days.to_pylist():
                columns: dict[str, list[str]] = defaultdict(list)
                for name in VALUES:
                    if (number := day.get(origin_of(name))) is not None:
                        columns[imports[number].info.digest].append(name)
                yield DayOrigins(day=day["date"], columns=dict(columns))

    def forget(self, *ids: str, traces: Traces | None = None) -> None:
        """Remove the records of a user, every original that contains some, and what names the user.

        Parameters
        ----------
        *ids : str
            The pseudonyms of the user.
        traces : Traces, optional
            The names of the user, which file names and messages may contain.
        """
        traces = traces or Traces(ids)
        for each in stored_imports(self._root):
            if set(ids).isdisjoint(each.info.users):
                info = traces.rewrite_document(each.info)
                if info != each.info:
                    import_store.replace_info(each, info)
                continue
            if set(ids).issuperset(each.info.users):
                originals.remove(each.folder)
                continue
            forgotten = pa.array(ids, pa.string())
            with Writer(each.folder) as writer:
                days = (batch for month in each.info.months for batch in each.read(month))
                rows = (
                    batch for month in each.info.workouts for batch in each.read_workouts(month)
                )
                content = write_records(
                    _without(forgotten, days),
                    _without(forgotten, rows),
                    writer.staging,
                    self._pseudonyms,
                )
                info = msgspec.structs.replace(
                    each.info,
                    months=content.months,
                    users=content.users,
                    workouts=content.workouts,
                    traits_since=content.traits_since,
                )
                writer.publish(msgspec.to_builtins(without_user(info, traces)))

    def forget_rejected(self, users: Collection[str], traces: Traces) -> int:
        """Remove the rejected files that may hold data of `users`, and return their number.

        A rejected file could not be read, so that only its folder in the inbox says whose it is.
        Those of unknown users are removed too.
        """
        removed = 0
        for folder in sorted(self._root.glob(f"{_REJECTED}-*")):
            manifest = read_manifest(folder)
            info = None if manifest is None else rejected_info(manifest, str(folder))
            owner = None if info is None else info.user
            if owner is None or owner in users or traces.in_text(str(msgspec.to_builtins(info))):
                originals.remove(folder)
                removed += 1
        return removed

    def _is_forgotten(self, name: str) -> bool:
        return self._pseudonyms.forgotten()(self._pseudonyms.pseudonym(name))

    def _traces_of_forgotten(self, names: Mapping[str, str]) -> Traces:
        """The traces of the forgotten users among `names`, whose values are the pseudonyms."""
        is_forgotten = self._pseudonyms.forgotten()
        found = {name: user for name, user in names.items() if is_forgotten(user)}
        return Traces(found.values(), found)

    def _pseudonymized(
        self,
        batches: Iterator[pa.RecordBatch],
        by_name: dict[str, str],
        quarantine: Quarantine,
    ) -> Iterator[pa.RecordBatch]:
        """Records or workouts with pseudonyms for names, which are added to `by_name`."""
        earlier_users = {user for each in stored_imports(self._root) for user in each.info.users}
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
        for spelling in spellings(name) - {normalize_user_id(name)}:
            pseudonym = self._pseudonyms.pseudonym_as_written(spelling)
            if pseudonym in earlier_users:
                current = self._pseudonyms.pseudonym(name)
                quarantine(
                    "user id",
                    current,
                    f"an earlier import has the same user as {pseudonym}, written with other "
                    "spaces, invisible characters or Unicode form: their records are kept apart; "
                    f"`fitness forget {pseudonym}` and import that export again",
                )

    def _stored_options(self, options: ImportOptions) -> StoredOptions:
        return StoredOptions(
            user=self._pseudonyms.pseudonym(options.user) if options.user else None,
            zone=options.zone.key if options.zone else None,
            zones={stream: zone.key for stream, zone in sorted(options.zones.items())},
            layout=as_json_values(options.layout) if options.layout else None,
            source_order=list(options.source_order),
        )


def _without(users: pa.Array, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The records of other users."""
    for batch in batches:
        yield batch.filter(pc.invert(pc.is_in(batch.column("user_id"), users)))


def _rejected(name: str, reason: str, user: str | None = None) -> RejectedInfo:
    entry = QuarantineEntry(file=printable(name), place="", reason=reason)
    return RejectedInfo(name=printable(name), quarantined=[entry], user=user)


def _after_all(others: list[StoredImport]) -> datetime:
    """The time now, or just after the last delivery of `others` if the clock went back."""
    return max([clock.now(), *(each.info.delivered + _MOMENT for each in others)])


def _changed_months(before: list[StoredImport], after: list[StoredImport]) -> set[str]:
    """The months of which the merged records or the workouts differ."""
    stored = {month for each in (*before, *after) for month in each.info.months}
    return {
        month
        for month in stored
        if import_store.version(before, month) != import_store.version(after, month)
        or import_store.workouts_version(before, month)
        != import_store.workouts_version(after, month)
    }
