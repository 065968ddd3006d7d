"""The dashboard's verified copy of the releases.

Every file is accepted only with a SHA-256 that is known beforehand: a file's from its manifest, a
manifest's from the pointer or from the pinned digests. Only the pointer itself is trusted on first
use; after that an older pointer is refused. A release that is refused leaves the previous one of
its month in place.
"""

import hashlib
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fitness_assets.errors import FitnessError, ReleaseError, StorageError
from fitness_assets.release.bundle import MANIFEST, read_info
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import Origin
from fitness_assets.storage.publication import is_of, parse_manifest, read_bytes, write_atomically

# Limits on the size of a manifest, and of the files of one release together, in bytes.
_MAX_MANIFEST_BYTES, _MAX_RELEASE_BYTES = 1_000_000, 200_000_000
_LOCK = "_mirror"
# Seconds to wait for another process that makes the first copy.
_FIRST_COPY_TIMEOUT = 60


@dataclass(frozen=True)
class State:
    """The releases in the copy after a refresh.

    Attributes
    ----------
    months : tuple of str
        The months that may be shown, in order.
    current : str or None
        The month to show first.
    refused : dict
        Why the newest release of a month was refused, by month; why the pointer was, under
        ``latest.json``. The previous one stays in place.
    """

    months: tuple[str, ...]
    current: str | None
    refused: dict[str, str]


class Mirror:
    """The verified copy in one folder.

    Parameters
    ----------
    origin : Origin
    root : Path
        The folder of the copy.
    digests : tuple of str
        SHA-256 of the manifests to accept. Empty: accept those that the pointer lists.
    private : bool
        Whether only the owner of the process may read the copy.
    """

    def __init__(
        self,
        origin: Origin,
        root: Path,
        digests: tuple[str, ...] = (),
        *,
        private: bool = False,
    ) -> None:
        self._origin = origin
        self._digests = digests
        self.store = ReleaseStore(root, private=private)

    def refresh(self) -> State:
        """Copy what is new at the origin.

        Never raises because of the origin: what is refused is reported in the result.
        """
        root = self.store.root
        refused: dict[str, str] = {}
        try:
            self.store.create()
            # While another process downloads, show what is here. Wait only if nothing is.
            with FileLock(root / _LOCK, timeout=0 if self._accepted() else _FIRST_COPY_TIMEOUT):
                refused = self._update()
        except Timeout:
            pass
        except (FitnessError, OSError) as error:
            refused = {LATEST: str(error)}
        return self._state(refused)

    def _update(self) -> dict[str, str]:
        content = self._origin.pointer()
        if content is None:
            return {}
        pointer = Pointer.parse(content, LATEST)
        before = self._accepted()
        if before is not None and pointer != before and pointer.serial <= before.serial:
            raise ReleaseError(
                f"{LATEST} has serial {pointer.serial}, which is not newer than the accepted "
                f"serial {before.serial}. If this is intended, remove {self.store.root}"
            )
        refused = {}
        for month, digest in pointer.releases.items():
            if self.store.digest(month) == digest:
                continue
            try:
                self._copy(month, digest, pointer)
            except (FitnessError, OSError) as error:
                refused[month] = str(error)
        if pointer != before:
            write_atomically(self.store.root / LATEST, pointer.encode())
        # A release that was removed at the origin, perhaps on a user's request, is not kept here.
        for month in set(self.store.months()) - pointer.releases.keys():
            shutil.rmtree(self.store.root / month)
        return refused

    def _copy(self, month: str, digest: str, pointer: Pointer) -> None:
        """Copy the release of `month` whose manifest has the SHA-256 `digest`."""
        if self._digests and digest not in self._digests:
            raise ReleaseError(
                f"the release of {month} has the digest {digest}, which is not pinned "
                "(FITNESS_RELEASE_DIGESTS)"
            )
        name = f"{month}/{MANIFEST}"
        content = self._origin.read(name, pointer, _MAX_MANIFEST_BYTES)
        if hashlib.sha256(content).hexdigest() != digest:
            raise ReleaseError(f"the SHA-256 of {name} is not the one in {LATEST}")
        manifest = parse_manifest(content, name)
        read_info(manifest, month)
        if manifest.bytes > _MAX_RELEASE_BYTES:
            raise ReleaseError(
                f"the release of {month} has {manifest.bytes:,} bytes, more than "
                f"{_MAX_RELEASE_BYTES:,}"
            )
        files = {}
        for file in manifest.files:
            try:
                files[file.name] = read_bytes(self.store.root / month, file)
            except (OSError, StorageError):  # not copied yet
                content = self._origin.read(f"{month}/{file.path}", pointer, file.bytes)
                if not is_of(content, file):
                    raise ReleaseError(f"{month}/{file.path} does not match {name}") from None
                files[file.name] = content
        self.store.write(month, files, manifest.info, manifest.inputs)

    def _accepted(self) -> Pointer | None:
        # A damaged pointer is replaced by the origin's.
        with suppress(ReleaseError):
            return self.store.pointer()
        return None

    def _state(self, refused: dict[str, str]) -> State:
        pointer = self._accepted()
        listed = pointer.releases if pointer else {}
        months = tuple(
            month
            for month in self.store.months()
            if month in listed and (not self._digests or self.store.digest(month) in self._digests)
        )
        current = pointer.month if pointer and pointer.month in months else None
        return State(months, current or (months[-1] if months else None), refused)
