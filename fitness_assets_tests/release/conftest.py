"""The emulated Google Drive, with the clients of this process connected to it."""

import gc
import warnings
from collections.abc import Iterator

import pytest

from fitness_assets_tests.support.drive_emulator import DriveEmulator


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveEmulator]:
    with warnings.catch_warnings():
        # httplib2 does not close the socket of a response that ends early.
        warnings.filterwarnings("ignore", "unclosed <soc", ResourceWarning)
        with DriveEmulator() as drive:
            drive.patch(monkeypatch)
            yield drive
        gc.collect()
