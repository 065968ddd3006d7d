"""The documents that the imports store: what is known of each import, and of each rejected file."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from fitness_assets.errors import SourceError, StorageError
from fitness_assets.sources.exports.report import FileReport
from fitness_assets.storage import documents
from fitness_assets.storage.documents import convert
from fitness_assets.storage.publication import Manifest
from fitness_assets.storage.traces import Traces

#: Version of the documents. Version 3 has `traits_since` and the versions of the reader, version 4
#: the workouts.
VERSION = 4

#: Raise it when an export is read into other records than before, such as after a format learned a
#: column: the same export is then read again instead of counting as already imported.
READER_VERSION = 4
_FIRST_READER = 1
# Below the limit of a manifest, which contains the document.
_MAX_BYTES, _MAX_VALUES = 40_000_000, 90_000

# Version 0.1 of the platform stored no version and used other keys. Imports are user data, so they
# must stay readable: new key by old key.
_KEYS_OF_VERSION_1 = {"told": "options", "left_out": "quarantined"}


class QuarantineEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A part of an export that could not be used.

    Attributes
    ----------
    file : str
        Name of the file in the export.
    place : str
        Location in the file, such as a row; empty for the whole file.
    reason : str
    """

    file: str
    place: str
    reason: str


class StoredOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of an import. Another import of the same content with equal options is skipped.

    Attributes
    ----------
    user : str or None
        The pseudonym of the declared user; the name itself is not stored.
    zone : str or None
        Name of the user's time zone, if it was declared.
    zones : dict
        Name of the time zone by stream.
    layout : dict or None
        The fields of the `Layout` of tidy files as JSON values. It is only stored and compared.
    source_order : list of str
        Parts of the names of preferred sources, most preferred first.
    """

    user: str | None
    zone: str | None
    zones: dict[str, str]
    layout: dict[str, Any] | None
    source_order: list[str] = []


class ImportInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One imported export.

    Attributes
    ----------
    digest : str
        SHA-256 of its content.
    name : str
        Name of the file or folder that was imported.
    options : StoredOptions
    delivered : datetime
        When it was exported; the import's time where neither the user nor the export states it.
    months : dict
        Number of records by month.
    workouts : dict
        Number of workouts by month. Their days have records. Empty if an earlier version imported
        it.
    users : list of str
        Pseudonyms of the users who have records in it.
    sources : list of str
        Formats of its files.
    quarantined : list of QuarantineEntry
    files : list of FileReport
        What was used of each file. Empty if an earlier version imported it.
    not_worn : dict
        By format, the number of its records of days on which the device was not worn
        (`record.wear`). Empty if an earlier version imported it.
    traits_since : str or None
        The first month of which age, sex, height or weight of a user is known. None if there is
        none, and for imports of a version that did not store it: their traits are those of the days
        that they were stored for.
    reader : int
        `READER_VERSION` of the platform that read the export.
    older_reader : int or None
        That of the import that this one replaced because its reader was older.
    version : int
        Version of this document.
    """

    digest: str
    name: str
    options: StoredOptions
    delivered: datetime
    months: dict[str, int]
    users: list[str]
    sources: list[str]
    quarantined: list[QuarantineEntry]
    files: list[FileReport] = []
    workouts: dict[str, int] = {}
    not_worn: dict[str, int] = {}
    traits_since: str | None = None
    reader: int = _FIRST_READER
    older_reader: int | None = None
    version: int = VERSION


class RejectedInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A file from the inbox that could not be imported.

    Attributes
    ----------
    name : str
        Name of the file or folder.
    quarantined : list of QuarantineEntry
    user : str or None
        The pseudonym of the user in whose folder of the inbox it was.
    version : int
        Version of this document.
    """

    name: str
    quarantined: list[QuarantineEntry]
    user: str | None = None
    version: int = VERSION


def import_info(manifest: Manifest, name: str) -> ImportInfo:
    """The info of an import's manifest, upgraded if an older version stored it.

    Parameters
    ----------
    manifest : Manifest
    name : str
        What error messages call the manifest.

    Raises
    ------
    StorageError
        If it is invalid or a newer version stored it.
    """
    return convert(_upgraded(manifest.info, name), ImportInfo, name)


def check_size(info: ImportInfo) -> None:
    """Raise SourceError if the document of an import would be too large to be read again."""
    try:
        documents.check_json(documents.encode(info), _MAX_BYTES, _MAX_VALUES)
    except ValueError as error:
        raise SourceError(
            f"{info.name} cannot be kept, since what is stored about it is too large: {error}; "
            f"it has {len(info.users):,} users: divide it into several exports"
        ) from error


def rejected_info(manifest: Manifest, name: str) -> RejectedInfo:
    """The info of the manifest of a rejected file; parameters and errors as of `import_info`."""
    return convert(_upgraded(manifest.info, name), RejectedInfo, name)


def _upgraded(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    version = info.get("version", 1)
    if version == 1:
        info = {_KEYS_OF_VERSION_1.get(key, key): value for key, value in info.items()}
    elif version not in {2, 3, VERSION}:
        raise StorageError(
            f"{name} has version {version} and this fitness_assets reads up to {VERSION}: update it"
        )
    return {**info, "version": VERSION}


def without_user(info: ImportInfo, traces: Traces) -> ImportInfo:
    """`info` of an import that had records of a forgotten user, without what is about the user.

    The quarantined rows are dropped as well: they quote cells, and do not say whose they are.
    """
    whole_files = [entry for entry in info.quarantined if not entry.place]
    kept = msgspec.structs.replace(info, quarantined=whole_files)
    return traces.rewrite_document(kept)
