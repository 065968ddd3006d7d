"""Backups of a home in a folder: files by the hash of their content, and a manifest.

A backup adds the contents that the folder lacks, replaces the manifest, and then deletes the
contents that no file has any more. Wherever it is killed, the manifest names whole files. The
folder holds one backup, the newest, so that what was removed from the home is removed from it too.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path, PurePosixPath

import msgspec
from filelock import Timeout

from fitness_assets.errors import StorageError
from fitness_assets.storage import documents
from fitness_assets.storage.publication import (
    LOCK,
    MANIFEST,
    STAGING,
    locked,
    reached,
    write_atomically,
)

FORMAT = 1
_NAME = "backup.json"
_CONTENTS = "contents"
_MAX_BYTES = 500_000_000
#: In the home while it is restored.
RESTORING = "restoring.json"


class BackupFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the home.

    Attributes
    ----------
    path : str
        Relative to the home, with slashes.
    sha256 : str
    bytes : int
    mode : int
        Its permissions.
    """

    path: str
    sha256: str
    bytes: int
    mode: int


class Backup(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest of a backup.

    Attributes
    ----------
    made : datetime
    settings : dict of str to str
        The settings of the home that were set, without secrets, by variable.
    files : tuple of BackupFile
    """

    made: datetime
    settings: Mapping[str, str]
    files: tuple[BackupFile, ...]
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """Total size of the files."""
        return sum(file.bytes for file in self.files)


class BackupFolder:
    """A folder that holds the backup of a home.

    Parameters
    ----------
    root : Path
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self) -> Backup:
        """The manifest.

        Raises
        ------
        StorageError
            If there is none, it cannot be read, or a newer version wrote it.
        """
        path = self.root / _NAME
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise StorageError(f"{self.root} holds no backup") from None
        backup = documents.decode(content, Backup, str(path), _MAX_BYTES)
        if backup.format != FORMAT:
            raise StorageError(f"{path} has format {backup.format}; this version reads {FORMAT}")
        for file in backup.files:
            parts = PurePosixPath(file.path).parts
            if not parts or ".." in parts or parts[0] == "/" or not _is_digest(file.sha256):
                raise StorageError(f"{path} names a file that is not inside the home")
        return backup

    def write(
        self, home: Path, parts: Sequence[str], settings: Mapping[str, str], made: datetime
    ) -> tuple[Backup, int]:
        """Back up the files and folders `parts` of `home`; return the manifest and new bytes.

        Raises
        ------
        StorageError
            If the folder holds something else than a backup, or a folder of the home is being
            written all the time.
        """
        if self.root.exists() and not self._is_ours():
            raise StorageError(f"{self.root} holds something else than a backup")
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        with _reporting_busy_folders(), locked(self.root):
            before = set(self._stored())
            files = tuple(self._add(home, path) for path in _files(home, parts))
            added = {file.sha256: file.bytes for file in files if file.sha256 not in before}
            backup = Backup(made=made, settings=settings, files=files)
            reached("files moved")
            write_atomically(self.root / _NAME, documents.encode(backup), 0o600)
            reached("manifest replaced")
            for digest in set(self._stored()) - {file.sha256 for file in files}:
                self._content(digest).unlink()
            for left in self.root.rglob(f"{STAGING}*"):
                left.unlink()
        return backup, sum(added.values())

    def verify(self, backup: Backup) -> None:
        """Raise StorageError unless each content is there with its hash."""
        for file in backup.files:
            self._check(file)

    def restore(self, backup: Backup, home: Path) -> None:
        """Write the files of a backup into `home`, which is empty.

        A restore that was interrupted is continued.

        Raises
        ------
        StorageError
            If `home` holds anything else, or a content differs from its hash. Then the home is not
            complete, and says so by the file `RESTORING`.
        """
        marker = home / RESTORING
        if home.exists() and any(home.iterdir()) and not marker.exists():
            raise StorageError(
                f"{home} is not empty; set FITNESS_HOME to a folder that is empty or does not exist"
            )
        self.verify(backup)
        home.mkdir(parents=True, exist_ok=True)
        write_atomically(marker, documents.encode({"from": str(self.root.absolute())}))
        for file in backup.files:
            target = home / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            if _copy(self._content(file.sha256), target) != file.sha256:
                raise StorageError(f"{target} differs from the backup after it was copied")
            target.chmod(file.mode)
        reached("files moved")
        marker.unlink()

    def _is_ours(self) -> bool:
        names = {path.name for path in self.root.iterdir()}
        return not names or _CONTENTS in names or _NAME in names or names == {LOCK}

    def _stored(self) -> Iterator[str]:
        for path in (self.root / _CONTENTS).glob("*/*"):
            if _is_digest(path.name):
                yield path.name

    def _content(self, digest: str) -> Path:
        return self.root / _CONTENTS / digest[:2] / digest

    def _add(self, home: Path, path: Path) -> BackupFile:
        """Store the content of a file unless it is stored."""
        state = path.stat()
        digest = _sha256(path)
        target = self._content(digest)
        if not target.is_file() or target.stat().st_size != state.st_size:
            target.parent.mkdir(parents=True, exist_ok=True)
            if _copy(path, target) != digest:
                target.unlink()
                raise StorageError(f"{path} changed while it was copied; run the command again")
            target.chmod(0o600)
            reached("file moved")
        return BackupFile(
            path=path.relative_to(home).as_posix(),
            sha256=digest,
            bytes=target.stat().st_size,
            mode=state.st_mode & 0o777,
        )

    def _check(self, file: BackupFile) -> None:
        path = self._content(file.sha256)
        try:
            found = _sha256(path)
        except FileNotFoundError:
            raise StorageError(f"{path}, the content of {file.path}, is missing") from None
        if found != file.sha256:
            raise StorageError(
                f"{path}, the content of {file.path}, is damaged; delete it, and run "
                "`fitness backup` again"
            )


@contextmanager
def _reporting_busy_folders() -> Iterator[None]:
    try:
        yield
    except Timeout as error:
        raise StorageError(
            f"{error.lock_file} is held by another process; run the command again once it has ended"
        ) from None


def _files(home: Path, parts: Sequence[str]) -> Iterator[Path]:
    """The files of `parts`, without locks and what is being staged.

    While the files of a published folder are passed on, its lock is held.
    """
    for part in parts:
        if (home / part).is_file():
            yield home / part
        for folder, folders, files in os.walk(home / part):
            folders[:] = sorted(name for name in folders if not name.startswith(STAGING))
            here = Path(folder)
            with locked(here) if MANIFEST in files else nullcontext():
                for path in sorted(here.iterdir()):
                    hidden = path.name.startswith(STAGING) or path.suffix == ".lock"
                    if path.is_file() and not hidden and path.name != LOCK:
                        yield path


def _copy(source: Path, target: Path) -> str:
    """Copy a file, so that `target` is whole or not there; return the SHA-256 of the copy."""
    with (
        source.open("rb") as content,
        tempfile.NamedTemporaryFile(dir=target.parent, prefix=STAGING, delete=False) as copied,
    ):
        try:
            shutil.copyfileobj(content, copied, 1 << 20)
            copied.flush()
            os.fsync(copied.fileno())
            digest = _sha256(Path(copied.name))
            Path(copied.name).replace(target)
        except BaseException:
            Path(copied.name).unlink(missing_ok=True)
            raise
    return digest


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _is_digest(text: str) -> bool:
    return len(text) == 2 * hashlib.sha256().digest_size and set(text) <= set("0123456789abcdef")
