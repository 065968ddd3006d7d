"""Fixtures of the dashboard's tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test with empty caches and its own copy of the releases, as a new server does."""
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(tmp_path / "cache"))
    # The test process also holds the platform and data of other tests.
    monkeypatch.setenv("FITNESS_MEMORY", str(10**12))
    st.cache_data.clear()
    st.cache_resource.clear()
    main = sys.modules["__main__"]
    yield
    # AppTest leaves its script as the main module, which spawned processes would run.
    sys.modules["__main__"] = main
