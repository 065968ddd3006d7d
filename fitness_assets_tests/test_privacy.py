"""From imports of real people to the files that anyone may read: nobody is in them."""

import warnings
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.release.people import PEOPLE_TABLES
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_imports, configured_pseudonyms
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.drive_emulator import DriveEmulator
from fitness_assets_tests.support.exports import shared_data
from fitness_assets_tests.support.local_paths import local
from fitness_assets_tests.support.platform import MakeSettings, materialize
from fitness_assets_tests.support.published import find_people
from fitness_assets_tests.support.tidy import HEADER
from fitness_assets_tests.support.whoop import write_workouts

pytestmark = pytest.mark.slow

PEOPLE = 5
# Models need 20 users.
NAMES = [f"person-{number:02}" for number in range(24)]
DAYS, RARE, OLDEST = 20, "rowing", 97


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Iterator[DriveEmulator]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "unclosed <soc", ResourceWarning)
        with DriveEmulator() as drive:
            drive.patch(monkeypatch)
            yield drive


def few_people(folder: Path) -> Path:
    """Days of a few people more than the models need, of whom three do what nobody else does.

    The first has a sex of their own, the second none, and the third is the oldest by far.
    """
    generator = np.random.default_rng(0)
    rows = []
    for number, name in enumerate(NAMES):
        rare = number < PEOPLE - 2
        level = generator.normal(8000, 2000)
        sex = ("other", "", "male")[number] if rare else ("female", "male")[number % 2]
        age = OLDEST if number == 2 else 25 + number
        for day in range(DAYS):
            if not rare and day == DAYS - 1:
                continue  # the last day is that of the three
            steps = max(int(generator.normal(level, 1500)), 100) + 40_000 * rare
            kcal = int(1500 + 0.05 * steps + generator.normal(0, 50))
            activity = RARE if rare else ("walking", "running")[int(generator.integers(2))]
            sleep = "" if number == PEOPLE and day else f"{generator.normal(7, 1):.2f}"
            on = date(2023, 4, 1) + timedelta(days=day)
            heart_rate = generator.normal(80, 9)
            row = f"{name},{on},{steps},{kcal},{heart_rate:.0f},{sleep},{activity},{sex},{age}"
            rows.append(row)
    path = folder / "anna-smith.csv"
    path.parent.mkdir()
    path.write_text("\n".join([f"{HEADER},sex,age", *rows]))
    return path


def upload(settings: Settings, path: Path, month: str) -> Workspace:
    """Import `path` and materialize every asset of `month`."""
    # What the models are depends on the order of the pseudonyms.
    key = settings.home / "people" / "pseudonyms.key"
    key.parent.mkdir()
    key.write_bytes(bytes(32))
    configured_imports(settings).add(path, ImportOptions())
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, month, instance).success
    return Workspace.of(settings)


def environment(drive: DriveEmulator, folder: Path, month: str) -> dict[str, str]:
    return {
        "FITNESS_SOURCE": "exports",
        "FITNESS_FIRST_MONTH": month,
        "FITNESS_LAST_MONTH": month,
        "FITNESS_LEAST_COMPLETE": "0",
        "FITNESS_DRIVE_FOLDER": drive.folder,
        "FITNESS_DRIVE_CREDENTIALS": str(drive.credentials(folder, "authorized_user")),
    }


def public_files(drive: DriveEmulator) -> dict[str, bytes]:
    """What anyone may read now or could read before, by path and version."""
    return {
        f"{number}/{path}": content
        for path in drive.paths()
        if drive.is_public(drive.item(path))
        for number, content in enumerate(drive.item(path).contents)
    }


def check(drive: DriveEmulator, workspace: Workspace, month: str, names: set[str]) -> None:
    files = public_files(drive)
    days = workspace.daily.scan([month]).table.to_pandas()
    assert find_people(files, days, names | set(days["user_id"]), PEOPLE) == []
    kinds = {path.rpartition("/")[2].split("-")[0].split(".")[0] for path in files}
    assert {"days", "activities", "histograms", "pairs", "quality", "metrics"} <= kinds
    private = [path for path in drive.paths() if path.startswith("people/")]
    # There may be no stable segments, and neither source has workouts.
    absent = {"segments", "user_map", "workouts"}
    assert {path.split("/")[-1].split("-")[0] for path in private} >= {*PEOPLE_TABLES} - absent
    assert not any(drive.item(path).public for path in private)


def test_nobody_is_in_the_files_that_anyone_may_read(
    make_settings: MakeSettings, drive: DriveEmulator, tmp_path: Path
) -> None:
    month = "2023-04"
    settings = make_settings(tmp_path, **environment(drive, tmp_path, month))
    workspace = upload(settings, few_people(tmp_path / "files"), month)
    check(drive, workspace, month, {*NAMES, "anna-smith"})
    release = workspace.releases.open(month)
    assert RARE not in set(release.table("activities")["activity_type"])
    assert date(2023, 4, DAYS) not in set(release.table("days")["date"])
    metrics = release.report().models["calorie_regressor"].report.metrics
    assert isinstance(metrics, RegressorMetrics), "the models are part of the test"
    assert release.model_file("calorie_regressor") is not None
    assert metrics.inputs.ranges["age"].maximum < OLDEST
    assert metrics.inputs.categories["sex"] == ["female", "male"]
    assert set(metrics.evaluation.slices) >= {"sex", "device"}

    row = "2023-04-03 18:00:00,37,Rowing,431,187,163,7813"
    workouts = write_workouts(tmp_path / "workouts" / "w.csv", row)
    configured_imports(settings).add(workouts, ImportOptions(user=NAMES[0]))
    with dg.DagsterInstance.ephemeral() as instance:
        made_from_them = ["workouts", "dashboard_release", "drive_upload"]
        assert materialize(settings, month, instance, made_from_them).success
    (workout,) = workspace.workouts.scan([month]).table.to_pylist()
    assert workout["distance_km"] == 7.813
    check(drive, workspace, month, {*NAMES, "anna-smith"})
    # A column of workouts only, which the footer of a table would name.
    files = public_files(drive)
    assert not [path for path, content in files.items() if b"local_start" in content]

    by_hand = make_settings(
        tmp_path, **environment(drive, tmp_path, month), FITNESS_RELEASE_PEOPLE="public"
    )
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(by_hand, month, instance, ["dashboard_release"]).success
        with pytest.raises(Exception, match="which anyone could read after the upload"):
            materialize(settings, month, instance, ["drive_upload"])
    public = workspace.releases.open(month)
    pseudonyms = configured_pseudonyms(settings)
    known = {pseudonyms.pseudonym(name) for name in NAMES}
    assert not known & set(public.table("user_days")["user_id"])
    assert not known & set(public.table("user_map")["user_id"])
    assert not any(
        user.encode() in path.read_bytes()
        for user in known
        for path in local(public.folder).iterdir()
    )


def test_nobody_is_in_the_files_of_real_exports(
    make_settings: MakeSettings, drive: DriveEmulator, tmp_path: Path
) -> None:
    month = "2016-04"
    path = shared_data("fitabase")
    settings = make_settings(tmp_path, **environment(drive, tmp_path, month))
    workspace = upload(settings, path, month)
    raw = pd.read_csv(path / "dailyActivity_merged.csv")
    check(drive, workspace, month, set(raw["Id"].astype(str)))
