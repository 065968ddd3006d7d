"""From the platform to a dashboard's copy through Google Drive, and faults of the download."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.months import between
from fitness_assets.release import build
from fitness_assets.release.acceptance import check_people
from fitness_assets.release.bundle import MANIFEST
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.pointer import LATEST
from fitness_assets.release.store import ReleaseStore
from fitness_assets.release.targets.drive import DriveOrigin, DriveTarget
from fitness_assets.settings import Settings
from fitness_assets.storage.publication import read_bytes
from fitness_assets_tests.support.drive_emulator import DriveEmulator
from fitness_assets_tests.support.drive_protocol import Fault
from fitness_assets_tests.support.people_bundles import MONTH, USERS, publish_bundles
from fitness_assets_tests.support.platform import MONTHS
from fitness_assets_tests.support.releases import any_content, model_features, release_info

#: A consumer: update the copy, and predict some rows with each model.
CONSUMER = """
import json, sys
import pandas as pd
from pathlib import Path
from fitness_assets.release.mirror import Mirror
from fitness_assets.release.registry import origin_of
from fitness_assets_tests.support.releases import model_features
mirror = Mirror(origin_of(sys.argv[1]), Path(sys.argv[2]))
state = mirror.refresh()
release = mirror.store.open(state.current)
rows = pd.read_json(sys.argv[3])
predictions = {
    name: release.model(name).predict(rows[model_features(entry.carried)]).tolist()
    for name, entry in release.report().models.items()
}
print(json.dumps({"months": state.months, "refused": state.refused, "predictions": predictions}))
"""


@pytest.fixture
def target(drive: DriveEmulator, tmp_path: Path) -> DriveTarget:
    credentials = drive.credentials(tmp_path, "authorized_user")
    return DriveTarget(drive.folder, credentials, tmp_path / "state")


def link(drive: DriveEmulator) -> str:
    return f"https://drive.google.com/uc?id={drive.item(LATEST).id}"


def test_six_months_reach_a_new_process_through_drive(
    drive: DriveEmulator, target: DriveTarget, tmp_path: Path, released: Settings
) -> None:
    made = ReleaseStore(released.home / "releases").open(MONTHS[-1])
    files = {file.name: read_bytes(made.folder, file) for file in made.manifest.files}
    store = ReleaseStore(tmp_path / "releases")
    six = between("2023-04", "2023-09")
    sent = [
        target.upload(store.publish(files, replace(made.info, month=month))).sent for month in six
    ]
    assert sent == [made.manifest.bytes] * 6
    address = link(drive)
    changed = files["metrics.json"] + b"\n"
    repaired = store.publish(files | {"metrics.json": changed}, replace(made.info, month="2023-06"))
    assert target.upload(repaired).sent == len(changed)
    assert link(drive) == address, "the public link stays"

    reports = {name: entry.report for name, entry in made.report().models.items()}
    # A day of medians, and one with few known values.
    names = (name for report in reports.values() for name in model_features(report))
    known = dict.fromkeys(names, 1.0)
    for report in reports.values():
        if isinstance(report.metrics, ClassifierMetrics | RegressorMetrics):
            ranges = report.metrics.inputs.ranges
            known |= {name: found.median for name, found in ranges.items()}
    days = [
        known | {"activity_type": "running", "sex": "female"},
        dict.fromkeys(known) | {"activity_type": "yoga", "sex": "male"},
    ]
    rows = tmp_path / "rows.json"
    rows.write_text(json.dumps(days))
    run = subprocess.run(
        [sys.executable, "-c", CONSUMER, address, str(tmp_path / "copy"), str(rows)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | drive.environment,
    )
    assert run.returncode == 0, run.stderr
    consumer = json.loads(run.stdout)
    assert (consumer["months"], consumer["refused"]) == (six, {})
    for name in MODEL_NAMES:
        model = made.model(name)
        assert model is not None
        here = model.predict(pd.read_json(rows)[model_features(reports[name])])
        assert np.array_equal(consumer["predictions"][name], here), name
    assert (tmp_path / "copy" / "2023-06" / MANIFEST).read_bytes() == (
        repaired.folder / MANIFEST
    ).read_bytes()


def test_tables_in_parts_reach_a_copy_through_drive(
    drive: DriveEmulator, target: DriveTarget, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_ROWS_PER_FILE", 200)
    publish_bundles(tmp_path / "home")
    made = ReleaseStore(tmp_path / "home" / "releases-people").open(MONTH)
    assert len(made.manifest.files) > 8
    target.upload(made)
    mirror = Mirror(DriveOrigin(drive.item(LATEST).id), tmp_path / "copy", check=check_people)
    assert mirror.refresh().refused == {}
    copied = mirror.store.open(MONTH)
    assert copied.users() == list(USERS)
    for user in (None, USERS[-1]):
        pd.testing.assert_frame_equal(
            copied.table("user_days", user=user), made.table("user_days", user=user)
        )


@pytest.fixture
def mirror(drive: DriveEmulator, target: DriveTarget, tmp_path: Path) -> Iterator[Mirror]:
    """A copy of two months, one of which has been republished since."""
    store = ReleaseStore(tmp_path / "releases")
    for month in ("2023-04", "2023-05"):
        files = {"metrics.json": month.encode(), "days.parquet": b"12345" * 100}
        target.upload(store.publish(files, release_info(month)))
    origin = DriveOrigin(drive.item(LATEST).id, timeout=1, deadline=4, retries=1)
    mirror = Mirror(origin, tmp_path / "copy", check=any_content)
    assert mirror.refresh().refused == {}
    files = {"metrics.json": b"new", "days.parquet": b"54321" * 100}
    target.upload(store.publish(files, release_info("2023-05")))
    yield mirror
    # After any fault has ended, the copy becomes complete and current.
    drive.clear_faults()
    assert mirror.refresh().refused == {}
    assert mirror.store.digest("2023-05") == store.digest("2023-05")
    assert {path.name for path in tmp_path.iterdir()} <= {
        *("releases", "copy", "state", "authorized_user.json")
    }


FAULTS: list[tuple[Fault, str]] = [
    ("not found", "cannot be downloaded from Google Drive"),
    ("quota page", "Too many users have viewed or downloaded this file recently"),
    ("html", "cannot be downloaded from Google Drive"),
    ("attached html", "does not match 2023-05/manifest.json"),
    ("truncate", "cannot be downloaded from Google Drive"),
    ("stall", "cannot be downloaded from Google Drive"),
    ("tamper", "does not match 2023-05/manifest.json"),
    ("swap", "does not match 2023-05/manifest.json"),
    ("unavailable", "cannot be downloaded from Google Drive"),
]


@pytest.mark.parametrize(("fault", "message"), FAULTS)
def test_a_faulty_download_is_refused(
    drive: DriveEmulator, mirror: Mirror, fault: Fault, message: str
) -> None:
    before = mirror.store.digest("2023-05")
    (days,) = (path for path in drive.paths() if path.startswith("2023-05/days"))
    (other,) = (path for path in drive.paths() if path.startswith("2023-04/days"))
    drive.fail(fault, on="download", path=days, times=math.inf, instead=other)
    began = time.monotonic()
    state = mirror.refresh()
    assert time.monotonic() - began < 15
    assert list(state.refused) == ["2023-05"]
    assert message in state.refused["2023-05"]
    assert "\n" not in state.refused["2023-05"]
    assert (state.months, mirror.store.digest("2023-05")) == (("2023-04", "2023-05"), before)


def test_a_manifest_of_another_month_is_refused(drive: DriveEmulator, mirror: Mirror) -> None:
    before = mirror.store.digest("2023-05")
    drive.fail(
        "swap",
        path=f"2023-05/{MANIFEST}",
        times=math.inf,
        instead=f"2023-04/{MANIFEST}",
    )
    refused = mirror.refresh().refused
    assert "is not the one in latest.json" in refused["2023-05"]
    assert mirror.store.digest("2023-05") == before


def test_a_replayed_pointer_is_refused(drive: DriveEmulator, mirror: Mirror) -> None:
    assert mirror.refresh().refused == {}
    newest = mirror.store.digest("2023-05")
    drive.fail("replay", path=LATEST, times=math.inf)
    assert "is not newer than the accepted serial" in mirror.refresh().refused[LATEST]
    assert mirror.store.digest("2023-05") == newest


@pytest.mark.parametrize("fault", ["html", "stall", "truncate", "not found"])
def test_without_the_pointer_the_copy_is_shown(
    drive: DriveEmulator, mirror: Mirror, fault: Fault
) -> None:
    drive.fail(fault, on="download", path=LATEST, times=math.inf)
    state = mirror.refresh()
    assert list(state.refused) == [LATEST]
    assert (state.months, state.current) == (("2023-04", "2023-05"), "2023-05")
