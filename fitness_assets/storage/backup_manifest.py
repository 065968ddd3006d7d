"""The manifest of a backup."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

FORMAT = 1


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
    everything : bool
        Whether what can be computed again is included.
    home : str
        What all backups of the home are marked with; empty in those of earlier versions.
    """

    made: datetime
    settings: Mapping[str, str]
    files: tuple[BackupFile, ...] = ()
    everything: bool = False
    home: str = ""
    format: int = FORMAT

    @property
    def bytes(self) -> int:
        """Total size of the files."""
        return sum(file.bytes for file in self.files)
