"""Backups of a home: files by the hash of their content, and a manifest.

A backup adds the contents that the place lacks, replaces the manifest, and then deletes the
contents that no file has any more. Wherever it is killed, the manifest names whole files. The
place holds one backup, the newest, so that what was removed from the home is removed from it too.

An encrypted backup has ``backup.age`` instead of ``backup.json``, and its key in ``key.age``.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TypeAlias

import msgspec

from fitness_assets.errors import StorageError, UnavailableError
from fitness_assets.formatting import plural
from fitness_assets.storage import documents
from fitness_assets.storage.backup_encryption import BackupKey, Protection, Secrets, Sink
from fitness_assets.storage.backup_files import files_of, unchanged
from fitness_assets.storage.backup_manifest import FORMAT, Backup, BackupFile
from fitness_assets.storage.backup_places import Place, staged_file
from fitness_assets.storage.publication import reached, sha256_of
from fitness_assets.storage.restoring import begin_restore

_NAME = "backup.json"
_ENCRYPTED = "backup.age"
_KEY = "key.age"
_CONTENTS = "contents"
_MAX_BYTES = 500_000_000
_MAX_KEY_BYTES = 100_000
_CHUNK = 1 << 20


Progress: TypeAlias = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Show no progress."""


class BackupStore:
    """A place that holds the backup of a home.

    Parameters
    ----------
    place : Place
    key : BackupKey, optional
        Of a backup that is encrypted. It can be set later.
    """

    def __init__(self, place: Place, key: BackupKey | None = None) -> None:
        self.place = place
        self.key = key

    def is_encrypted(self) -> bool | None:
        """Whether the backup is encrypted; None if there is none.

        Raises
        ------
        StorageError
            If the place holds something else than a backup.
        """
        names = self.place.first_names()
        if _ENCRYPTED in names:
            return True
        if _NAME in names:
            return False
        # The first backup was killed, and what it left has nothing that names it.
        if names - {_CONTENTS, _KEY}:
            raise StorageError(
                f"{self.place.name} holds something else than a backup; name an empty or a new one"
            )
        return None

    def has_key(self) -> bool:
        """Whether the place holds the key of an encrypted backup, made or begun."""
        return _KEY in self.place.first_names()

    def unlock(self, secrets: Secrets) -> None:
        """Set the key of an encrypted backup, by secrets of who may restore it.

        Raises
        ------
        StorageError, SettingsError
            As `BackupKey.unwrap`.
        """
        name = f"{self.place.name}/{_KEY}"
        content = self.place.read(_KEY, _MAX_KEY_BYTES)
        if content is None:
            raise StorageError(f"{name}, the key of the backup, is missing")
        self.key = BackupKey.unwrap(content, secrets, name)

    def protect(self, key: BackupKey, protection: Protection) -> None:
        """Use a new key, for a place without a backup."""
        with self.place.explaining(), self.place.locked(()):
            self.place.write(_KEY, key.wrap(protection))
        self.key = key

    def read(self) -> Backup:
        """The manifest.

        Raises
        ------
        StorageError
            If there is none, it cannot be read or decrypted, or a newer version wrote it.
        """
        path = f"{self.place.name}/{self._manifest}"
        content = self.place.read(self._manifest, _MAX_BYTES)
        if content is None:
            raise StorageError(f"{self.place.name} holds no backup")
        if self.key:
            content = self.key.decrypt_bytes(content, path)
        backup = documents.decode(content, Backup, path, _MAX_BYTES)
        if backup.format != FORMAT:
            raise StorageError(
                f"{path} has format {backup.format}, and this version reads {FORMAT}; install the "
                "version that made the backup, or a later one"
            )
        for file in backup.files:
            parts = PurePosixPath(file.path).parts
            if not parts or ".." in parts or parts[0] == "/" or not _is_digest(file.sha256):
                raise StorageError(f"{path} names a file that is not inside the home")
        return backup

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only writer: what is read here is what `write` replaces.

        Raises
        ------
        StorageError
            If another process writes to the place, or it cannot be written.
        """
        with self.place.explaining(), self.place.locked((_NAME, _ENCRYPTED)):
            yield

    def write(
        self, home: Path, parts: Sequence[str], backup: Backup, progress: Progress = _ignore
    ) -> tuple[Backup, int]:
        """Back up the files and folders `parts` of `home`, inside `writing`.

        Parameters
        ----------
        home : Path
        parts : sequence of str
        backup : Backup
            The manifest, without files.
        progress : callable
            Is given the bytes of the files that are done, and of all.

        Returns
        -------
        backup : Backup
            The manifest with the files.
        added : int
            Bytes that the place did not have.

        Raises
        ------
        StorageError
            If another process replaced the backup, or a file of the home is being written all the
            time.
        """
        place = self.place
        before = place.stored(_CONTENTS)
        files: list[BackupFile] = []
        with unchanged(home):
            done, total = 0, sum(path.stat().st_size for path in files_of(home, parts))
            for path in files_of(home, parts):
                files.append(self._add(home, path, before))
                done += files[-1].bytes
                progress(done, max(done, total))
        backup = msgspec.structs.replace(backup, files=tuple(files))
        content = documents.encode(backup)
        reached("files moved")
        place.publish(self._manifest, self.key.encrypt_bytes(content) if self.key else content)
        needed = {self._content(file.sha256): file for file in files}
        stored = place.stored(_CONTENTS).keys()
        if lost := needed.keys() - stored:
            raise StorageError(
                f"{place.name}/{min(lost)} was deleted by another process; run the command "
                "again once it has ended"
            )
        place.delete(sorted(stored - needed.keys()))
        return backup, sum(file.bytes for name, file in needed.items() if name not in before)

    def delete_unnamed(self) -> None:
        """Delete what a first backup left that was killed: nothing names it."""
        with self.place.explaining(), self.place.locked(()):
            self.place.delete(sorted(self.place.stored(_CONTENTS)))

    def damaged(self, backup: Backup, progress: Progress = _ignore) -> dict[str, str]:
        """What is wrong with the content of a file, by the path of the file."""
        found = {}
        for file in _each(backup, progress):
            content = _Hash()
            try:
                self._receive(file, content)
            except UnavailableError:
                # Nothing is known of the content.
                raise
            except StorageError as error:
                found[file.path] = str(error)
            else:
                if content.hexdigest() != file.sha256:
                    found[file.path] = f"{self._path(file)} is damaged"
        return found

    def verify(self, backup: Backup, progress: Progress = _ignore) -> None:
        """Raise StorageError unless each content is there with its hash."""
        _refuse(
            self.damaged(backup, progress),
            "delete what is damaged, and run `fitness backup` again while the home has the file",
        )

    def restore(
        self,
        backup: Backup,
        home: Path,
        progress: Progress = _ignore,
        *,
        skip_damaged: bool = False,
    ) -> Mapping[str, str]:
        """Write the files of a backup into `home`, which is empty.

        A restore that was interrupted is continued. The home is marked as incomplete, until
        `finish_restore`. The files are as old as the backup.

        Parameters
        ----------
        backup : Backup
        home : Path
        progress : callable
            Is given the bytes that are verified and written, and of all twice.
        skip_damaged : bool
            Whether files are left out whose content is missing or damaged.

        Returns
        -------
        mapping of str to str
            What is left out, by path, with the reason.

        Raises
        ------
        StorageError
            If `home` holds anything else, or a content differs from its hash.
        """
        damaged = self.damaged(backup, lambda done, total: progress(done, 2 * total))
        if not skip_damaged:
            _refuse(
                damaged,
                "restore another copy of the backup, or all other files with --skip-damaged",
            )
        begin_restore(home, backup.made, self.place.name)
        for file in _each(backup, lambda done, total: progress(total + done, 2 * total)):
            if file.path not in damaged:
                target = home / file.path
                target.parent.mkdir(parents=True, exist_ok=True)
                self._write(file, target)
                target.chmod(file.mode)
                os.utime(target, 2 * (backup.made.timestamp(),))
        reached("files moved")
        return damaged

    @property
    def _manifest(self) -> str:
        return _ENCRYPTED if self.key else _NAME

    def _content(self, sha256: str) -> str:
        """The name of a content at the place."""
        name = self.key.name_of(sha256) if self.key else sha256
        return f"{_CONTENTS}/{name[:2]}/{name}"

    def _path(self, file: BackupFile) -> str:
        return f"{self.place.name}/{self._content(file.sha256)}"

    def _add(self, home: Path, path: Path, before: Mapping[str, int]) -> BackupFile:
        """Store the content of a file unless it is stored."""
        state = path.stat()
        digest = sha256_of(path)
        size = state.st_size
        name = self._content(digest)
        # How much longer an encrypted content is differs each time.
        if name not in before or (not self.key and before[name] != size):
            with staged_file(self.place.staging or home) as staged:
                size = self._stage(path, digest, staged)
                self.place.add(name, staged)
        return BackupFile(
            path=path.relative_to(home).as_posix(),
            sha256=digest,
            bytes=size,
            mode=state.st_mode & 0o777,
        )

    def _stage(self, path: Path, digest: str, staged: Path) -> int:
        """Copy or encrypt a file; return the bytes that were read."""
        with path.open("rb") as file, staged.open("wb") as target:
            source = _Hashed(file)
            if self.key:
                self.key.encrypt(source, target)
            else:
                shutil.copyfileobj(source, target, _CHUNK)
        if source.sha256.hexdigest() != digest:
            raise StorageError(f"{path} changed while it was copied; run the command again")
        return source.bytes

    def _receive(self, file: BackupFile, target: Sink) -> None:
        """Read the content of a file, decrypted."""
        chunks = self.place.chunks(self._content(file.sha256))
        if self.key:
            self.key.decrypt(chunks, target, self._path(file))
        else:
            for chunk in chunks:
                target.write(chunk)

    def _write(self, file: BackupFile, target: Path) -> None:
        """Write a file of the home, so that `target` is whole or not there."""
        with staged_file(target.parent) as staged:
            with staged.open("wb") as copied:
                self._receive(file, copied)
                copied.flush()
                os.fsync(copied.fileno())
            if sha256_of(staged) != file.sha256:
                raise StorageError(f"{target} differs from the backup after it was copied")
            reached("files staged")
            staged.replace(target)


class _Hash:
    """Receives content, and keeps its hash only."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()

    def write(self, content: bytes, /) -> int:
        self._sha256.update(content)
        return len(content)

    def flush(self) -> None:
        """Do nothing."""

    def hexdigest(self) -> str:
        return self._sha256.hexdigest()


class _Hashed:
    """Reads a file, and hashes what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.sha256 = hashlib.sha256()
        self.bytes = 0

    def read(self, size: int = -1, /) -> bytes:
        content = self._file.read(size)
        self.sha256.update(content)
        self.bytes += len(content)
        return content


def _each(backup: Backup, progress: Progress) -> Iterator[BackupFile]:
    """The files of a backup, with the progress after each."""
    done = 0
    for file in backup.files:
        yield file
        done += file.bytes
        progress(done, backup.bytes)


def _refuse(damaged: Mapping[str, str], remedy: str) -> None:
    """Raise StorageError if anything is damaged."""
    for path, reason in damaged.items():
        others = f", and {plural(len(damaged) - 1, 'other')}" if len(damaged) > 1 else ""
        raise StorageError(f"{reason}, the content of {path}{others}; {remedy}")


def _is_digest(text: str) -> bool:
    return len(text) == 2 * hashlib.sha256().digest_size and set(text) <= set("0123456789abcdef")
