"""The stored results of data checks, one folder per month.

They are kept apart from the data that they judge: a new wording of a message must not give the data
a new version.
"""

from collections.abc import Sequence

from msgspec import Struct

from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage import documents
from fitness_assets.storage.locations import Location
from fitness_assets.storage.publication import read_bytes, read_manifest
from fitness_assets.storage.writer import Writer

_CHECKS = "checks.json"


class Judged(Struct, frozen=True, kw_only=True):
    """The data that checks judged: its version, and that of the month it was compared with."""

    data_version: str
    compared_with: str | None


class CheckResultStore:
    """The results of the data checks of one asset.

    Parameters
    ----------
    root : Path or ObjectPath
        The folder that holds a folder per month.
    """

    def __init__(self, root: Location) -> None:
        self.root = root

    def folder(self, month: str) -> Location:
        """Return the folder of `month`."""
        return self.root / month

    def save(self, month: str, judged: Judged, results: Sequence[CheckResult]) -> None:
        """Store the results of the checks of `month`."""
        with Writer(self.folder(month)) as writer:
            (writer.staging / _CHECKS).write_bytes(documents.encode(list(results)))
            writer.publish(judged)

    def load(self, month: str, judged: Judged) -> list[CheckResult] | None:
        """Load the results of the checks of `month`, or None if they judged other data."""
        folder = self.folder(month)
        manifest = read_manifest(folder)
        if manifest is None or manifest.info != documents.plain(judged):
            return None
        content = read_bytes(folder, manifest.file(_CHECKS))
        return documents.decode(content, list[CheckResult], str(folder / _CHECKS))
