"""All objects below a URL: what is published, what no manifest names, and what is in them."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fitness_assets.storage import publication
from fitness_assets.storage.locations import ObjectPath
from fitness_assets.storage.publication import Manifest
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import Traces

# The end of a name with the first digits of a hash, as files are published, and of staged ones.
_PUBLISHED = re.compile(r"-[0-9a-f]{12}(\.\w+)?$", re.ASCII)


@dataclass(frozen=True)
class Inventory:
    """The objects below a URL, found by one listing.

    Attributes
    ----------
    sizes : dict of ObjectPath to int
        Bytes of each object.
    manifests : list of ObjectPath
        The manifests of what is published.
    """

    sizes: dict[ObjectPath, int]
    manifests: list[ObjectPath]

    @classmethod
    def of(cls, root: ObjectPath, manifest_names: Sequence[str]) -> "Inventory":
        """List the objects below `root`; manifests are called one of `manifest_names`."""
        sizes = {
            ObjectPath(root.bucket, each.name): each.bytes for each in root.store.list(root.key)
        }
        return cls(sizes, sorted(path for path in sizes if path.name in manifest_names))

    def unnamed(self) -> list[ObjectPath]:
        """The objects that look published or staged, and that no manifest of their folder names.

        Raises
        ------
        StorageError
            If a manifest cannot be read: nothing is known of the files of its folder then.
        """
        named = set(self.manifests)
        for path in self.manifests:
            manifest = self.manifest(path)
            named |= {path.parent / file.path for file in manifest.files} if manifest else set()
        return [
            path
            for path in self.sizes
            if path not in named
            and (_PUBLISHED.search(path.name) or publication.STAGING in path.key)
        ]

    @staticmethod
    def manifest(path: ObjectPath) -> Manifest | None:
        """The manifest at `path`, or None if it was removed since."""
        return publication.read_manifest(path.parent, path.name)


def search_objects(root: ObjectPath, traces: Traces) -> Iterator[str]:
    """Where objects below `root` contain a trace, as `trace_search.search` of files."""
    with tempfile.TemporaryDirectory(prefix="fitness-") as folder:
        for each in root.store.list(root.key):
            path = ObjectPath(root.bucket, each.name)
            copy = Path(folder, PurePosixPath(each.name).name)
            try:
                path.download(copy)
            except FileNotFoundError:
                continue  # removed meanwhile
            yield from (
                where.replace(str(copy), str(path)) for where in search(copy.parent, traces)
            )
            copy.unlink()
