"""Folders of stores that are known to be on the local disk."""

from pathlib import Path

from fitness_assets.storage.locations import Location


def local(folder: Location) -> Path:
    """`folder` as a path of the file system."""
    assert isinstance(folder, Path)
    return folder
