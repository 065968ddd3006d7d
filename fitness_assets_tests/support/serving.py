"""What a dashboard's reader serves after each of many changed releases, and what it costs."""

import gc
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from fitness_assets import memory
from fitness_assets.release.bundle import Release, ReleaseInfo
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.model_loader import load_models, predict_one
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.folder import FolderOrigin
from fitness_assets.storage.publication import read_bytes
from fitness_assets_tests.support.mutations import Content, write_changed


@dataclass(frozen=True)
class Try:
    """One changed release.

    Attributes
    ----------
    seed : int
    changed : str
        What was changed.
    accepted : bool
        Whether the changed release replaced the old one.
    seconds, megabytes : float
        Time of the processor and memory that the refresh took.
    """

    seed: int
    changed: str
    accepted: bool
    seconds: float
    megabytes: float


def tries(
    files: Mapping[str, bytes], info: ReleaseInfo, folder: Path, seeds: range
) -> Iterator[Try]:
    """Change the release once for each seed, refresh a copy of it, and read all that it serves.

    Raises
    ------
    Exception
        If the reader raises, or serves anything but the old release or a complete new one.
    """
    good, root = folder / "good", folder / "origin"
    made = ReleaseStore(good).publish(files, info)
    month = info.month
    content = Content(month, files, msgspec.to_builtins(info))
    mirror = Mirror(FolderOrigin(good), folder / "copy")
    assert mirror.refresh().months == (month,)
    old = made.manifest.data_version
    # A copy that has served models already: as the dashboard's, it has imported their libraries.
    read_all(mirror.store.open(month))
    shutil.copytree(folder / "copy", folder / "kept")
    # Without the objects of the libraries, a collection takes little time.
    gc.collect()
    gc.freeze()
    mirror = Mirror(FolderOrigin(root), folder / "copy")
    for seed in seeds:
        shutil.rmtree(root, ignore_errors=True)
        accepted = mirror.store.pointer()
        assert accepted is not None
        changed = write_changed(root, content, accepted.serial + 1, seed)
        memory.collect_and_trim()
        _reset_peak()
        before, began = memory.resident() or 0, time.process_time()
        state = mirror.refresh()
        seconds, peak = time.process_time() - began, memory.peak() or 0
        assert state.months == (month,), (seed, changed, state)
        release = mirror.store.open(month)
        new = release.manifest.data_version != old
        if new:
            read_all(release)
        for file in release.manifest.files:
            read_bytes(release.folder, file)
        yield Try(seed, changed, new, seconds, (peak - before) / 1e6)
        if new or mirror.store.pointer() != accepted:
            shutil.rmtree(folder / "copy")
            shutil.copytree(folder / "kept", folder / "copy")


def read_all(release: Release) -> dict[str, Any]:
    """Read the report, every table and every model of a release, and predict with the models."""
    report = release.report()
    tables = {
        name: release.table(name)
        for name, _, suffix in (file.name.rpartition(".") for file in release.manifest.files)
        if suffix == "parquet"
    }
    models = load_models(release, budget=10**12).models
    for name, model in models.items():
        carried = report.models[name].carried
        if model is not None and carried is not None:
            predict_one(model, carried.metrics)
    return {"report": report, "tables": tables, "models": models}


def _reset_peak() -> None:
    """Let the peak of the resident set begin anew, where the system can."""
    path = Path("/proc/self/clear_refs")
    if path.exists():
        path.write_text("5")
