"""Fixtures of the dashboard's tests."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st


class _Failures(logging.Handler):
    """Collects the errors that views report to the log instead of to the visitor."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(logging.Formatter().format(record))


@pytest.fixture(autouse=True)
def view_failures() -> Iterator[list[str]]:
    """Errors of views. A test that expects one clears the list."""
    handler, log = _Failures(), logging.getLogger("dashboard.page")
    log.addHandler(handler)
    yield handler.messages
    log.removeHandler(handler)
    assert handler.messages == []


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start each test with empty caches and its own copy of the releases, as a new server does."""
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(tmp_path / "cache"))
    # The test process also holds the platform and data of other tests.
    monkeypatch.setenv("FITNESS_MEMORY", str(10**12))
    st.cache_data.clear()
    st.cache_resource.clear()
