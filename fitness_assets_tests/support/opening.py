"""Open the dashboard, or one of its views, on releases as they are or after a test's changes."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest

from fitness_assets.release.bundle import Release
from fitness_assets.release.store import ReleaseStore
from fitness_assets.settings import Settings
from fitness_assets.storage.publication import read_bytes
from fitness_assets_tests.support.platform import MONTHS

# Each `AppTest` reads the metadata of all installed packages, which takes longer than most views.
pytest.MonkeyPatch().setattr(
    manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests)
)

APP = Path(__file__).parents[2] / "dashboard" / "app.py"
#: Names of all views. A browser test finds each of them in the navigation.
VIEWS = tuple(sorted(path.stem for path in (APP.parent / "views").glob("[a-z]*.py")))

#: A compression report of two steps, and of the released model, which has more inputs.
_STEP = {
    "trees": 100,
    "trees_measured": 5,
    "nodes": 17_050_100,
    "bytes": 1_227_774_500,
    "memory_bytes": 1_227_607_200,
    "fit_seconds": 57.2,
    "predict_seconds": 3.3,
    "r2": 0.207,
    "rmse": 380.9,
}
COMPRESSION_REPORT = {
    "steps": [
        {"step": "scikit-learn's default", **_STEP},
        {
            **_STEP,
            "step": "packed",
            "trees": 10,
            "trees_measured": 10,
            "bytes": 12_040,
            "memory_bytes": 41_787,
            "r2": 0.213,
        },
        {
            **_STEP,
            "step": "as released",
            "same_inputs": False,
            "trees": 10,
            "trees_measured": 10,
            "bytes": 24_635,
            "memory_bytes": 84_787,
            "fit_seconds": None,
            "r2": 0.926,
        },
    ]
}

Change = Callable[[dict[str, Any], dict[str, bytes]], object]


def releases(settings: Settings) -> Path:
    """The folder of the releases."""
    return settings.home / "releases"


def release(settings: Settings, month: str = MONTHS[-1]) -> Release:
    """The release of `month`."""
    return ReleaseStore(releases(settings)).open(month)


def open_app(source: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The whole dashboard on the releases in `source`, before its first run."""
    monkeypatch.setenv("FITNESS_RELEASE_SOURCE", str(source))
    return AppTest.from_file(str(APP), default_timeout=60)


def _view(name: str, months: list[str]) -> None:
    import importlib

    import streamlit as st

    if months:
        st.session_state.setdefault("month", months[-1])
    st.session_state["months"] = months
    importlib.import_module(f"dashboard.views.{name}").show()


def open_view(name: str, source: Path, monkeypatch: pytest.MonkeyPatch, **address: str) -> AppTest:
    """One view on the releases in `source`, which are read in place and not copied.

    `address` has the parameters of the address.
    """
    monkeypatch.setenv("FITNESS_RELEASE_CACHE", str(source))
    months = ReleaseStore(source).months()
    view = AppTest.from_function(_view, args=(name, months), default_timeout=60)
    for key, value in address.items():
        view.query_params[key] = value
    return view.run()


def changed(settings: Settings, folder: Path, change: Change, month: str = MONTHS[-1]) -> Path:
    """A folder with the release of `month` after `change` of its metrics and files."""
    source = release(settings, month)
    files = {file.name: read_bytes(source.folder, file) for file in source.manifest.files}
    metrics = json.loads(files["metrics.json"])
    change(metrics, files)
    files["metrics.json"] = json.dumps(metrics).encode()
    ReleaseStore(folder).publish(files, source.info)
    return folder


def without_models(metrics: dict[str, Any], files: dict[str, bytes]) -> None:
    """Change a release to that of a month with too few users to train models."""
    for name in ("segment_model", "activity_classifier", "calorie_regressor"):
        report = {"released": False, "reason": "needs 20 users", "gates": []}
        metrics["models"][name] = {"report": {"window": [], "learned_from": {}, **report}}
        del files[f"{name}.skops"]
    for name in ("segments", "user_map", "movement"):
        del files[f"{name}.parquet"]
    metrics["projection"] = None


def text(view: AppTest) -> str:
    """All sentences of the view."""
    parts = [*view.markdown, *view.caption, *view.info, *view.warning, *view.success, *view.error]
    return "\n".join(part.value for part in parts)
