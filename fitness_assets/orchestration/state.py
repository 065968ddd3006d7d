"""What the stores hold of each asset and month, and what an asset is about to be made from."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

import pyarrow as pa

from fitness_assets import months
from fitness_assets.errors import StorageError, UnavailableError
from fitness_assets.history.schema import HistoryReport
from fitness_assets.orchestration.lineage import (
    HISTORY,
    INPUTS,
    SETTINGS,
    SOURCE,
    SOURCES,
    TRAILING_WINDOW,
    settings_of,
)
from fitness_assets.orchestration.staleness import Partition, Stored, changed_settings, inputs_of
from fitness_assets.record import daily, raw, workouts
from fitness_assets.storage import documents
from fitness_assets.storage.locations import ObjectPath, file_names
from fitness_assets.storage.publication import Manifest
from fitness_assets.workspace import Workspace

# Partitions of an object store that are asked for at the same time.
_REQUESTS = 16
#: The problem of a model or report that is stored in the format of an older version.
OLDER_VERSION = "it was stored by an older version"

#: The schema of a file with certain optional columns, by asset.
_SCHEMAS: Mapping[str, Callable[[Collection[str]], pa.Schema]] = {
    "raw_telemetry": raw.schema_of,
    "daily_activity": daily.schema_of,
    "workouts": lambda _: workouts.SCHEMA,
}


def read_state(workspace: Workspace, month_range: Sequence[str]) -> dict[Partition, Stored]:
    """What is stored for the months of a range, and for those before it that its months read."""
    if not month_range:
        return {}
    first = months.shift(month_range[0], 1 - TRAILING_WINDOW)
    partitions = [
        Partition(asset, month)
        for month in months.between(first, month_range[-1])
        for asset in (*SOURCES, *INPUTS)
    ]
    # Only `person_history` reads months before these.
    earlier = workspace.daily.listed(HISTORY.of(month_range[0]))
    partitions += [Partition("daily_activity", month) for month in earlier if month < first]
    return _read(workspace, partitions)


def with_month(
    state: Mapping[Partition, Stored], workspace: Workspace, month: str
) -> dict[Partition, Stored]:
    """`state` with what is stored for `month` now. After a run of it no other month differs."""
    others = {partition: stored for partition, stored in state.items() if partition.month != month}
    return others | _read(workspace, [Partition(asset, month) for asset in (*SOURCES, *INPUTS)])


def _read(workspace: Workspace, partitions: Iterable[Partition]) -> dict[Partition, Stored]:
    found: Iterable[Stored | None]
    asked = list(partitions)
    if isinstance(workspace.raw.root, ObjectPath):
        # Each takes the time of some answers, one after the other.
        with ThreadPoolExecutor(_REQUESTS) as pool:
            found = list(pool.map(partial(_stored, workspace), asked))
    else:
        found = (_stored(workspace, partition) for partition in asked)
    return {
        partition: stored
        for partition, stored in zip(asked, found, strict=True)
        if stored is not None
    }


def input_versions(workspace: Workspace, asset: str, month: str) -> dict[str, str]:
    """What `asset` is about to be made from, as manifests record it.

    Take them before anything is read: content that is published meanwhile then makes the asset
    stale, and not the other way round.

    Returns
    -------
    dict of str to str
        Data versions by partition, and values of settings by name.
    """
    asked = inputs_of(Partition(asset, month))
    if INPUTS[asset].get("daily_activity") == HISTORY:
        listed = set(workspace.daily.listed(HISTORY.of(month)))
        asked = [each for each in asked if each.asset != "daily_activity" or each.month in listed]
    versions = {str(each): stored.version for each, stored in _read(workspace, asked).items()}
    return versions | settings_of(asset, workspace.privacy)


def _stored(workspace: Workspace, partition: Partition) -> Stored | None:
    asset, month = partition
    if asset in SOURCES:
        source = workspace.source
        version = source.version(month) if asset == SOURCE else source.workouts_version(month)
        return None if version is None else Stored(version, {})
    try:
        manifest = _manifest(workspace, partition)
    except UnavailableError:
        # What is stored is not known. To rematerialize all of it would not help.
        raise
    except StorageError as error:
        return Stored("", {}, problem=str(error))
    if manifest is None:
        outdated = workspace.is_outdated(asset, month)
        return Stored("", {}, problem=OLDER_VERSION) if outdated else None
    inputs = {
        Partition.parse(name): version
        for name, version in (manifest.inputs or {}).items()
        if name not in SETTINGS
    }
    return Stored(
        manifest.data_version,
        inputs,
        problem=_problem(workspace, partition, manifest),
        summaries_only=asset == "person_history" and not _reads_history(manifest),
    )


def _reads_history(manifest: Manifest) -> bool:
    """Whether a month of `person_history` was computed from all months up to it."""
    name = "the manifest of person_history"
    return documents.convert(manifest.info, HistoryReport, name).reads_history


def _manifest(workspace: Workspace, partition: Partition) -> Manifest | None:
    asset, month = partition
    # Asking a target on the network for each month would take minutes.
    return (
        workspace.receipts.manifest(month)
        if asset == "drive_upload"
        else workspace.manifest(asset, month)
    )


def _problem(workspace: Workspace, partition: Partition, manifest: Manifest) -> str | None:
    if manifest.inputs is None:
        return "its inputs were not recorded"
    if ended := _ended_since(workspace, partition, manifest):
        return ended
    if partition.asset in _SCHEMAS and not _has_current_columns(partition.asset, manifest):
        return "its columns are those of an older version"
    recorded = {name: manifest.inputs[name] for name in SETTINGS if name in manifest.inputs}
    if changed := changed_settings(recorded, settings_of(partition.asset, workspace.privacy)):
        return changed
    if missing := _missing_files(workspace, partition, manifest):
        return f"{', '.join(missing)} is missing"
    return None


def _has_current_columns(asset: str, manifest: Manifest) -> bool:
    """Whether the columns of a month of the lake are those of this version."""
    columns = manifest.info.get("columns")
    if not isinstance(columns, dict):
        return False
    return columns == {field.name: str(field.type) for field in _SCHEMAS[asset](columns)}


def _ended_since(workspace: Workspace, partition: Partition, manifest: Manifest) -> str | None:
    """Why raw records of a partial month that has ended must be read again; None otherwise.

    What is downstream follows, since the data version of a whole month is another one.
    """
    last = manifest.info.get("partial_until") if partition.asset == "raw_telemetry" else None
    if last is None or not workspace.has_ended(partition.month):
        return None
    return f"it is partial, {months.text_until(date.fromisoformat(str(last)))}, and has ended since"


def _missing_files(workspace: Workspace, partition: Partition, manifest: Manifest) -> list[str]:
    """Names of the files of a manifest that its folder lacks."""
    asset, month = partition
    if asset == "drive_upload":
        return []
    stored = file_names(workspace.folder(asset, month))
    return [file.name for file in manifest.files if file.path not in stored]
