"""A service that ends is started again, unless it ends too often."""

import os
import sys
import time

import psutil
import pytest

from fitness_assets.cli.service import MAX_RESTARTS, Service

_SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
_END = [sys.executable, "-c", "raise SystemExit(3)"]


def wait_for_end(service: Service) -> None:
    while not service.has_ended():
        time.sleep(0.02)


def children() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.cmdline()[-1:] == _SLEEP[-1:]]


def test_a_killed_process_is_started_again_and_ended_with_its_service() -> None:
    lines: list[str] = []
    with Service("daemon", _SLEEP, dict(os.environ)) as service:
        assert not service.has_ended(), "it was not started"
        service.start()
        (first,) = children()
        assert not service.has_ended()
        first.kill()
        wait_for_end(service)
        assert service.restart(lines.append)
        (second,) = children()
        assert second.pid != first.pid
    assert not second.is_running()
    assert lines == ["the daemon ended with status -9; starting it again"]


def test_a_service_that_ends_too_often_is_not_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines: list[str] = []
    with Service("daemon", _END, dict(os.environ)) as service:
        service.start()
        for _ in range(MAX_RESTARTS):
            wait_for_end(service)
            assert service.restart(lines.append)
        wait_for_end(service)
        assert not service.restart(lines.append)
        assert service.status() == 3
        # Long after these ends it is started again.
        later = time.monotonic() + 3600
        monkeypatch.setattr(time, "monotonic", lambda: later)
        assert service.restart(lines.append)
