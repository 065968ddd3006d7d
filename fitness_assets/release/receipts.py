"""Receipts of uploads: which release the target has, known without asking the target."""

from collections.abc import Mapping

import msgspec

from fitness_assets.release.target import UploadResult
from fitness_assets.storage.locations import Location, folder_names
from fitness_assets.storage.publication import MANIFEST, Manifest, read_manifest
from fitness_assets.storage.writer import Writer


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """The data version of the release that was uploaded."""

    data_version: str


class ReceiptStore:
    """The receipt of each month, in a folder per month.

    Parameters
    ----------
    root : Path or ObjectPath
    """

    def __init__(self, root: Location) -> None:
        self.root = root

    def months(self) -> list[str]:
        """The months that were uploaded, in order."""
        return [name for name in folder_names(self.root) if (self.root / name / MANIFEST).is_file()]

    def folder(self, month: str) -> Location:
        """The folder of `month`."""
        return self.root / month

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of the receipt of `month`, or None if nothing was uploaded."""
        return read_manifest(self.folder(month))

    def save(self, month: str, uploaded: UploadResult, inputs: Mapping[str, str]) -> Manifest:
        """Store the receipt of `month`, whose release has these `inputs`."""
        receipt = Receipt(data_version=uploaded.manifest.data_version)
        with Writer(self.folder(month)) as writer:
            return writer.publish(receipt, inputs)
