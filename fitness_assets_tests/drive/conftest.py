"""What the tests of both ends share: an emulated Drive, and this process talking to it."""

from collections.abc import Iterator

import pytest

from fitness_assets_tests.drive.emulator import DriveEmulator


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveEmulator]:
    with DriveEmulator() as drive:
        drive.enter(monkeypatch)
        yield drive
