"""File systems of their own for a test: small ones, and ones that become read-only."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of `size` at `folder`; skips the test if none can be mounted."""
    folder.mkdir()
    if os.geteuid() != 0 or _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder) != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False, capture_output=True)


def make_read_only(folder: Path) -> None:
    """Make the file system that is mounted at `folder` read-only, as a faulty disk becomes."""
    assert _mount("-o", "remount,ro", folder) == 0


@contextmanager
def full(folder: Path, left: int) -> Iterator[None]:
    """Fill the file system of `folder` but for `left` bytes; the space is free again afterwards."""
    filler = folder / "filler"
    status = os.statvfs(folder)
    filler.write_bytes(bytes(status.f_bavail * status.f_frsize - left))
    try:
        yield
    finally:
        filler.unlink()


def _mount(*arguments: str | Path) -> int:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
