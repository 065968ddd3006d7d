"""What the tests of both ends share: an emulated Drive, and this process talking to it."""

import gc
import warnings
from collections.abc import Iterator

import pytest

from fitness_assets_tests.support.drive_emulator import DriveEmulator


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveEmulator]:
    with warnings.catch_warnings():
        # Of an answer that breaks off, httplib2 leaves the socket to the garbage collector.
        warnings.filterwarnings("ignore", "unclosed <soc", ResourceWarning)
        with DriveEmulator() as drive:
            drive.enter(monkeypatch)
            yield drive
        gc.collect()
