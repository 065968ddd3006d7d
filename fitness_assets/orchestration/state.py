"""What the stores hold of each asset and month, and what an asset is about to be made from."""

from collections.abc import Mapping, Sequence

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.orchestration.lineage import INPUTS, SOURCE, TRAILING_WINDOW
from fitness_assets.orchestration.staleness import Partition, Stored, inputs_of
from fitness_assets.storage.publication import Manifest
from fitness_assets.workspace import Workspace


def read_state(workspace: Workspace, month_range: Sequence[str]) -> dict[Partition, Stored]:
    """What is stored for the months of a range, and for those before it that its months read."""
    if not month_range:
        return {}
    first = months.shift(month_range[0], 1 - TRAILING_WINDOW)
    state = {}
    for month in months.between(first, month_range[-1]):
        for asset in (SOURCE, *INPUTS):
            partition = Partition(asset, month)
            stored = _stored(workspace, partition)
            if stored is not None:
                state[partition] = stored
    return state


def input_versions(workspace: Workspace, asset: str, month: str) -> dict[str, str]:
    """Data versions of what `asset` is about to be made from, by partition.

    Take them before anything is read: content that is published meanwhile then makes the asset
    stale, and not the other way round.
    """
    return {
        str(partition): stored.version
        for partition in inputs_of(Partition(asset, month))
        if (stored := _stored(workspace, partition)) is not None
    }


def _stored(workspace: Workspace, partition: Partition) -> Stored | None:
    asset, month = partition
    if asset == SOURCE:
        version = workspace.source.version(month)
        return None if version is None else Stored(version, {})
    manifest = _manifest(workspace, partition)
    if manifest is None:
        return None
    inputs: Mapping[str, str] | None = manifest.inputs
    if asset == "daily_activity" and not workspace.check_results.has(month, manifest.data_version):
        # The run was killed after it published the month and before it stored these.
        inputs = None
    recorded = None if inputs is None else {Partition.parse(k): v for k, v in inputs.items()}
    return Stored(manifest.data_version, recorded)


def _manifest(workspace: Workspace, partition: Partition) -> Manifest | None:
    asset, month = partition
    try:
        if asset == "drive_upload":
            return workspace.receipts.manifest(month)
        return workspace.manifest(asset, month)
    except StorageError:
        # A damaged manifest; whoever reads it says so.
        return None
