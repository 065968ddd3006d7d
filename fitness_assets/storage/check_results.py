"""The stored results of data checks, one folder per month.

They are kept apart from the data that they judge: a new wording of a message must not give the data
a new version.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from fitness_assets.errors import StorageError
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage import documents
from fitness_assets.storage.publication import Writer, read_bytes, read_manifest

_CHECKS = "checks.json"


class _Document(Struct, frozen=True, kw_only=True):
    """The results of the checks of one version of the data."""

    data_version: str
    results: list[CheckResult]


class CheckResultStore:
    """The results of the data checks of one asset.

    Parameters
    ----------
    root : Path
        The folder that holds a folder per month.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, month: str) -> Path:
        """Return the folder of `month`."""
        return self.root / month

    def save(self, month: str, data_version: str, results: Sequence[CheckResult]) -> None:
        """Store the results of the checks of `month`.

        Parameters
        ----------
        month : str
        data_version : str
            Version of the data that the checks judged.
        results : sequence of CheckResult
        """
        document = _Document(data_version=data_version, results=list(results))
        with Writer(self.folder(month)) as writer:
            (writer.staging / _CHECKS).write_bytes(documents.encode(document))
            writer.publish({"data_version": data_version})

    def has(self, month: str, data_version: str) -> bool:
        """Whether the checks of this version of the data of `month` are stored."""
        manifest = read_manifest(self.folder(month))
        return manifest is not None and manifest.info["data_version"] == data_version

    def load(self, month: str, data_version: str) -> list[CheckResult]:
        """Load the results of the checks of this version of the data of `month`.

        Raises
        ------
        StorageError
            If there are none; the message says what to run.
        """
        folder = self.folder(month)
        manifest = read_manifest(folder)
        if manifest is not None and manifest.info["data_version"] == data_version:
            content = read_bytes(folder, manifest.file(_CHECKS))
            return documents.decode(content, _Document, str(folder / _CHECKS)).results
        raise StorageError(
            f"{folder} has no check results for the published {self.root.name}: run "
            f"`fitness backfill {month} --select {self.root.name}+`"
        )
