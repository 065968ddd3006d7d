"""Releases: what the dashboard reads. One bundle a month, and a pointer to the latest."""

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from sklearn.pipeline import Pipeline

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.storage.models import METRICS, load
from fitness_assets.storage.publication import (
    Manifest,
    Writer,
    locked,
    read_bytes,
    read_manifest,
    write_atomically,
)

MANIFEST = "manifest.json"
LATEST = "latest.json"
#: Version of what a release holds; a reader refuses one that it does not know.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Release:
    """One published bundle. Every read is verified against the manifest.

    Attributes
    ----------
    month : str
        The month it is of.
    folder : Path
        Where its files are.
    manifest : Manifest
        Its files, and in `info` the months, versions and summary it was made from.
    """

    month: str
    folder: Path
    manifest: Manifest

    def metrics(self) -> dict[str, Any]:
        """What was measured of each model, by the asset's name."""
        document: dict[str, Any] = json.loads(self._read(METRICS))
        return document

    def model(self, name: str) -> Pipeline | None:
        """The model called `name`, or None where the month released none."""
        file = f"{name}.skops"
        if file not in {stored.name for stored in self.manifest.files}:
            return None
        return load(self._read(file), f"{self.month} {file}")

    def table(self, name: str) -> pd.DataFrame:
        """The serving table called `name`."""
        frame: pd.DataFrame = pq.read_table(io.BytesIO(self._read(f"{name}.parquet"))).to_pandas()
        return frame

    def _read(self, name: str) -> bytes:
        try:
            return read_bytes(self.folder, self.manifest.file(name))
        except FileNotFoundError as error:
            raise StorageError(f"{self.folder} lacks {name}, which its manifest names") from error


class ReleaseStore:
    """The releases in one folder.

    Parameters
    ----------
    root : Path
        A folder with a folder a month, and ``latest.json``.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def months(self) -> list[str]:
        """The months that have a release, in order."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{MANIFEST}"))

    def open(self, month: str) -> Release:
        """The release of `month`.

        Raises
        ------
        StorageError
            If there is none, or it is of a version that is not known here.
        """
        manifest = self.manifest(month)
        if manifest is None:
            raise StorageError(f"{self.root} has no release of {month}")
        version = manifest.info.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StorageError(
                f"the release of {month} has schema version {version}, not {SCHEMA_VERSION}"
            )
        return Release(month, self.root / month, manifest)

    def manifest(self, month: str) -> Manifest | None:
        """What is published for `month`, or None."""
        return read_manifest(self.root / month, MANIFEST)

    def publish(self, month: str, files: Mapping[str, bytes], info: Mapping[str, Any]) -> Release:
        """Publish the release of `month`, and point ``latest.json`` to the newest month.

        Raises
        ------
        StorageError
            If the files do not read back as they were given, or a model may not be loaded. Then
            what was released before stands.
        """
        months.start(month)
        with Writer(self.root / month, MANIFEST) as writer:
            for name, content in files.items():
                path = writer.staging / name
                path.write_bytes(content)
                if path.read_bytes() != content:
                    raise StorageError(f"{path} does not read back as it was written")
                if path.suffix == ".skops":
                    load(content, f"{month} {name}")
            writer.publish({"schema_version": SCHEMA_VERSION, "month": month, **info})
        with locked(self.root):
            newest = self.months()[-1]
            manifest = (self.root / newest / MANIFEST).read_bytes()
            pointer = {
                "month": newest,
                "manifest": f"{newest}/{MANIFEST}",
                "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
            }
            content = (json.dumps(pointer, indent=2, sort_keys=True) + "\n").encode()
            latest = self.root / LATEST
            if not latest.exists() or latest.read_bytes() != content:
                write_atomically(latest, content)
        return self.open(month)

    def receive(self, release: Release) -> tuple[Release, int]:
        """Publish a copy of `release` here.

        Returns
        -------
        Release
            The copy, verified.
        int
            Bytes of the files that were not here already.
        """
        before = self.manifest(release.month)
        known = {file.sha256 for file in before.files} if before else set()
        sent = sum(file.bytes for file in release.manifest.files if file.sha256 not in known)
        files = {file.name: read_bytes(release.folder, file) for file in release.manifest.files}
        return self.publish(release.month, files, release.manifest.info), sent
