"""Stored content is stale once a setting that it was made with has another effective value."""

from pathlib import Path

import pytest

from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.models.reports import ModelReport
from fitness_assets.orchestration.lineage import INPUTS, SETTINGS, settings_of
from fitness_assets.orchestration.staleness import Partition, changed_settings, stale_partitions
from fitness_assets.orchestration.state import input_versions, read_state
from fitness_assets.release.people import Privacy
from fitness_assets.release.target import UploadResult
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.releases import release_info

MONTH = "2023-04"
MODELS = set(MODEL_NAMES)
RELEASE = {"dashboard_release", "drive_upload"}
PEOPLE, CELL = SETTINGS


def settings(home: Path, **environment: str) -> Settings:
    return Settings.from_env(
        {"FITNESS_HOME": str(home), "FITNESS_LAST_MONTH": MONTH, **environment}
    )


def store(known: Settings) -> None:
    """Store the models, the release and the upload of a month, as their assets do."""
    workspace = Workspace.of(known)
    report = ModelReport(window=[], learned_from={}, released=False, gates=[])
    for name, models in workspace.models.items():
        models.save(MONTH, None, report, inputs=input_versions(workspace, name, MONTH))
    release = workspace.releases.publish(
        {"metrics.json": b"{}"},
        release_info(MONTH),
        input_versions(workspace, "dashboard_release", MONTH),
    )
    uploaded = UploadResult(manifest=release.manifest, sent=0, link="")
    workspace.receipts.save(MONTH, uploaded, input_versions(workspace, "drive_upload", MONTH))


def stale(known: Settings) -> dict[str, str]:
    """The reason by asset."""
    found = stale_partitions(read_state(Workspace.of(known), [MONTH]), [MONTH])
    return {partition.asset: reason for partition, reason in found.items()}


@pytest.mark.parametrize(
    ("before", "after", "assets"),
    [
        ({}, {}, set()),
        ({}, {PEOPLE: "public", CELL: "5"}, set()),
        ({}, {PEOPLE: "private"}, RELEASE),
        ({}, {PEOPLE: "none"}, RELEASE),
        ({}, {CELL: "6"}, MODELS),
        ({PEOPLE: "private"}, {PEOPLE: "public"}, RELEASE),
        ({PEOPLE: "private"}, {PEOPLE: "none"}, RELEASE),
        ({PEOPLE: "private"}, {PEOPLE: "private", CELL: "5"}, set()),
        ({PEOPLE: "private"}, {PEOPLE: "private", CELL: "20"}, MODELS | RELEASE),
        ({PEOPLE: "none", CELL: "3"}, {PEOPLE: "none"}, MODELS | RELEASE),
    ],
)
def test_a_changed_setting_makes_stale_what_was_made_with_it_until_it_is_rematerialized(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], assets: set[str]
) -> None:
    store(settings(tmp_path, **before))
    assert stale(settings(tmp_path, **before)) == {}
    changed = settings(tmp_path, **after)
    assert set(stale(changed)) == assets
    store(changed)
    assert stale(changed) == {}


def test_the_default_of_another_source_counts_as_well(tmp_path: Path) -> None:
    store(settings(tmp_path))
    assert stale(settings(tmp_path, FITNESS_SOURCE="exports")) == dict.fromkeys(
        RELEASE, "FITNESS_RELEASE_PEOPLE was public and is now private"
    )


def test_a_run_of_another_setting_is_another_change(tmp_path: Path) -> None:
    def inputs(**environment: str) -> dict[str, str]:
        workspace = Workspace.of(settings(tmp_path, **environment))
        return input_versions(workspace, "dashboard_release", MONTH)

    assert inputs() != inputs(FITNESS_RELEASE_PEOPLE="none")
    assert inputs() == inputs(FITNESS_RELEASE_PEOPLE="public")


def test_the_reason_names_the_setting_and_both_values() -> None:
    private, public = {PEOPLE: "private", CELL: "5"}, {PEOPLE: "public"}
    cases = [
        (private, private, None),
        ({CELL: "5"}, {CELL: "7"}, "FITNESS_SMALLEST_CELL was 5 and is now 7"),
        (private, public, "FITNESS_RELEASE_PEOPLE was private and is now public"),
        (public, private, "FITNESS_RELEASE_PEOPLE was public and is now private"),
        (
            private,
            {PEOPLE: "none", CELL: "7"},
            (
                "FITNESS_RELEASE_PEOPLE was private and is now none; "
                "FITNESS_SMALLEST_CELL was 5 and is now 7"
            ),
        ),
        ({}, private, "no value of FITNESS_RELEASE_PEOPLE, FITNESS_SMALLEST_CELL was recorded"),
        ({}, {}, None),
    ]
    for recorded, current, reason in cases:
        assert changed_settings(recorded, current) == reason


def test_data_depends_on_no_setting_of_privacy_and_names_of_settings_are_no_partitions() -> None:
    privacy = Privacy(people="private", by_hand=False, real=True, smallest_cell=5)
    dependent = {asset for asset in INPUTS if settings_of(asset, privacy)}
    assert dependent == MODELS | RELEASE
    assert not any(Partition.parse(name).asset for name in SETTINGS)
