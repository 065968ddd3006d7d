"""The dashboard's verified copy of the releases.

Every file is accepted only with a SHA-256 that is known beforehand: a file's from its manifest, a
manifest's from the pointer or from the pinned digests. Only the pointer itself is trusted on first
use; after that an older pointer is refused. A release replaces the previous one of its month after
all of it was read once, within limits; otherwise the previous one stays in place.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from fitness_assets.errors import FitnessError, ReleaseError, StorageError
from fitness_assets.formatting import number
from fitness_assets.release.acceptance import check_release
from fitness_assets.release.bundle import MANIFEST, read_info
from fitness_assets.release.pointer import LATEST, Pointer
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.target import Origin
from fitness_assets.storage.publication import (
    encode_manifest,
    is_of,
    parse_manifest,
    read_bytes,
    verify,
    write_atomically,
)
from fitness_assets.system_errors import cause_of

# Limits on the size of a manifest, of the files of one release and of all releases, in bytes. A
# release of 1,959 users has 1.8 MB in 20 files, and 8 kB of manifest; one of a hundred times the
# users has 200 files.
_MAX_MANIFEST_BYTES, _MAX_RELEASE_BYTES, _MAX_COPY_BYTES = 200_000, 500_000_000, 1_000_000_000
_MAX_FILES = 500
_LOCK = "_mirror"
# How the name of a folder begins that holds a release until it is accepted.
_COPYING = "_copying-"
# Seconds to wait for another process that makes the first copy.
_FIRST_COPY_TIMEOUT = 60

#: Checks a release before it is accepted, see `acceptance.check_release`: the files by name, the
#: month, and whether to load the models.
Check = Callable[..., None]

_log = logging.getLogger(__name__)
# The size and the time of the last change of each file of a copy whose hash this process checked.
_checked: dict[Path, tuple[int, int]] = {}


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


@dataclass(frozen=True)
class _Files(Mapping[str, bytes]):
    """The content of the files in a folder by name. Only one of them need be in memory."""

    folder: Path
    names: Sequence[str]

    def __getitem__(self, name: str) -> bytes:
        if name not in self.names:
            raise KeyError(name)
        return (self.folder / name).read_bytes()

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


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
    check : callable
        Reads all of a release; `acceptance.check_release` by default.
    """

    def __init__(
        self,
        origin: Origin,
        root: Path,
        digests: tuple[str, ...] = (),
        *,
        private: bool = False,
        check: Check = check_release,
    ) -> None:
        self._origin = origin
        self._check = check
        self._digests = digests
        self._root = root
        self.store = ReleaseStore(root, private=private)

    def refresh(self) -> State:
        """Copy what is new at the origin.

        Never raises because of the origin: what is refused is reported in the result.
        """
        refused: dict[str, str] = {}
        try:
            self.store.create()
            # While another process downloads, show what is here. Wait only if nothing is.
            with FileLock(
                self._root / _LOCK, timeout=0 if self._accepted() else _FIRST_COPY_TIMEOUT
            ):
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
        # Of a process that was killed.
        for unfinished in self._root.glob(f"{_COPYING}*"):
            shutil.rmtree(unfinished)
        # A pin has more weight than the order of pointers, which anyone could write.
        known = None if self._digests else before
        if known is not None and pointer != known and pointer.serial <= known.serial:
            raise ReleaseError(
                f"{LATEST} has serial {pointer.serial}, which is not newer than the accepted "
                f"serial {known.serial}. If this is intended, remove {self._root}"
            )
        # A process that shows releases already has imported what its views need; before the first
        # page, the import would take longer than all else.
        refused = self._copy_listed(pointer, load_models=before is not None)
        here = {month: self.store.digest(month) for month in self.store.months()}
        if not here.items() & pointer.releases.items():
            # Without a release of its own, a pointer deletes none, and its serial does not count.
            if here and not refused:
                raise ReleaseError(
                    f"{LATEST} lists no release, and the last ones stay. If this is intended, "
                    f"remove {self._root}"
                )
            return refused
        if pointer != before:
            write_atomically(self._root / LATEST, pointer.encode())
        # A release that was removed at the origin, perhaps on a user's request, is not kept here.
        for month in here.keys() - pointer.releases.keys():
            if here[month] not in self._digests:
                shutil.rmtree(self._root / month)
        return refused

    def _copy_listed(self, pointer: Pointer, *, load_models: bool) -> dict[str, str]:
        """Copy the releases that `pointer` lists, as many as have room; why others are refused."""
        refused: dict[str, str] = {}
        # Those that are pinned stay, also if they are not listed any more.
        room = _MAX_COPY_BYTES - sum(
            self._bytes(month)
            for month in self.store.months()
            if month not in pointer.releases and self.store.digest(month) in self._digests
        )
        # The current one first and then the newest, in case that not all have room.
        wanted = sorted(
            pointer.releases, key=lambda month: (month == pointer.month, month), reverse=True
        )
        for month in wanted:
            digest = pointer.releases[month]
            if self.store.digest(month) != digest or not self._is_whole(month):
                try:
                    self._copy(month, digest, pointer, room, load_models=load_models)
                except (FitnessError, OSError) as error:
                    refused[month] = str(error)
            kept = self._bytes(month)
            if kept > room:
                # Copied before newer ones were released.
                shutil.rmtree(self._root / month)
                refused.setdefault(month, _no_room(month))
            else:
                room -= kept
        return dict(sorted(refused.items()))

    def _is_whole(self, month: str) -> bool:
        """Whether the files of `month` in the copy match its manifest."""
        try:
            manifest = self.store.manifest(month)
            for file in manifest.files if manifest else ():
                path = self._root / month / file.path
                found = path.stat()
                state = found.st_size, found.st_mtime_ns
                if _checked.get(path) != state:
                    verify(path, file)
                    _checked[path] = state
        except (FitnessError, OSError):
            return False
        return manifest is not None

    def _copy(
        self, month: str, digest: str, pointer: Pointer, room: int, *, load_models: bool
    ) -> None:
        """Copy the release of `month` whose manifest has the SHA-256 `digest` into `room` bytes."""
        if self._digests and digest not in self._digests:
            raise ReleaseError(
                f"the release of {month} has the digest {digest}, which is not pinned "
                "(FITNESS_RELEASE_DIGESTS)"
            )
        name = f"{month}/{MANIFEST}"
        written = self._origin.read(name, pointer, _MAX_MANIFEST_BYTES)
        if hashlib.sha256(written).hexdigest() != digest:
            raise ReleaseError(f"the SHA-256 of {name} is not the one in {LATEST}")
        manifest = parse_manifest(written, name)
        read_info(manifest, month)
        if manifest.bytes > _MAX_RELEASE_BYTES:
            raise ReleaseError(
                f"the release of {month} has {number(manifest.bytes)} bytes, more than "
                f"{number(_MAX_RELEASE_BYTES)}"
            )
        if len(manifest.files) > _MAX_FILES:
            raise ReleaseError(f"the release of {month} has {number(len(manifest.files))} files")
        if manifest.bytes > room:
            raise ReleaseError(_no_room(month))
        names = {file.name for file in manifest.files}
        with tempfile.TemporaryDirectory(dir=self._root, prefix=_COPYING) as folder:
            for file in manifest.files:
                try:
                    content = read_bytes(self._root / month, file)
                except (OSError, StorageError):  # not copied yet
                    content = self._origin.read(f"{month}/{file.path}", pointer, file.bytes)
                    if not is_of(content, file):
                        raise ReleaseError(f"{month}/{file.path} does not match {name}") from None
                self._keep(Path(folder, file.name), content)
            files = _Files(Path(folder), sorted(names))
            try:
                self._check(files, month, load_models=load_models)
            except FitnessError:
                raise
            except Exception as error:
                _log.warning("the release of %s cannot be read", month, exc_info=True)
                raise ReleaseError(f"the release of {month} cannot be read: {error!r}") from error
            # The copy is identified by the digest of its manifest, which is written again.
            if encode_manifest(manifest) != written or len(names) != len(manifest.files):
                raise ReleaseError(
                    f"{name} is not written as releases are, so no copy would match it"
                )
            self.store.write(month, files, manifest.info, manifest.inputs)

    def _keep(self, path: Path, content: bytes) -> None:
        try:
            path.write_bytes(content)
        except OSError as error:
            raise ReleaseError(f"{self._root} cannot be written: {cause_of(error)}") from error

    def _bytes(self, month: str) -> int:
        with suppress(StorageError):
            manifest = self.store.manifest(month)
            return manifest.bytes if manifest else 0
        return 0

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
            if (self.store.digest(month) in self._digests if self._digests else month in listed)
        )
        current = pointer.month if pointer and pointer.month in months else None
        return State(months, current or (months[-1] if months else None), refused)


def _no_room(month: str) -> str:
    return (
        f"there is no room for the release of {month}: all releases together may have "
        f"{number(_MAX_COPY_BYTES)} bytes, and newer ones come first"
    )
