"""What the tests of the dashboard share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st


@pytest.fixture(autouse=True)
def _fresh_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what another test has loaded and copied, as a new server would have."""
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(tmp_path / "cache"))
    # This one holds the platform, its tests and what they left beside the dashboard.
    monkeypatch.setenv("FITNESS_MEMORY", str(10**12))
    st.cache_data.clear()
    st.cache_resource.clear()
    main = sys.modules["__main__"]
    yield
    # AppTest leaves its script behind as the main module, which spawned processes would run.
    sys.modules["__main__"] = main
