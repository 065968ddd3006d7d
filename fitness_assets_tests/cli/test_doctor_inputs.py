"""`fitness doctor`: settings, people, source and upload folder."""

from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.settings import Settings
from fitness_assets.sources.configured import configured_names, configured_pseudonyms
from fitness_assets_tests.support.diagnosis import doctor, line_of
from fitness_assets_tests.support.object_store import S3Server
from fitness_assets_tests.support.platform import free_port


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FITNESS_HOME", str(tmp_path / "home"))
    for variable in ("FITNESS_DAGSTER_PORT", "FITNESS_DASHBOARD_PORT"):
        monkeypatch.setenv(variable, str(free_port()))
    # Of the tests, and no setting.
    monkeypatch.delenv("FITNESS_SHARED_DATA", raising=False)
    return tmp_path / "home"


def test_a_variable_that_is_no_setting_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not home.exists()
    monkeypatch.setenv("FITNESS_FRIST_MONTH", "2023-05")
    monkeypatch.setenv("FITNESS_SOMETHING", "else")
    monkeypatch.setenv("FITNESS_PASSWORD_HASH", "of the proxy")
    status, lines = doctor("--quick")
    found = [line for line in lines if line.startswith("warning  settings")]
    assert len(found) == 2
    assert "rename it to FITNESS_FIRST_MONTH, or unset it" in found[0]
    assert "FITNESS_SOMETHING is set, and is no setting; unset it" in found[1]
    assert status == 0


def test_a_key_that_is_missing_is_a_fault_and_no_other_is_made(home: Path, tmp_path: Path) -> None:
    pseudonyms, key = configured_pseudonyms(Settings.from_env()), home / "people/pseudonyms.key"
    anna = pseudonyms.pseudonym("anna")
    configured_names(Settings.from_env()).add({anna: "anna"})
    kept = key.rename(tmp_path / "key")
    status, lines = doctor("--quick")
    assert "restore it from a backup, or remove names.json" in line_of(lines, "fault    people")
    assert status == 1
    with pytest.raises(SourceError, match="is missing or damaged"):
        pseudonyms.pseudonym("anna")
    assert not key.exists()
    kept.rename(key)
    assert pseudonyms.pseudonym("anna") == anna
    (home / "people" / "names.json").write_text("{")
    _, lines = doctor("--quick")
    line = line_of(lines, "fault    people")
    assert "names.json cannot be read" in line
    assert line.endswith("; restore it from a backup")


def test_a_source_that_cannot_be_read_says_what_to_do(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FITNESS_SOURCE", "exports")
    status, lines = doctor("--quick")
    assert "`fitness import PATH` adds one" in line_of(lines, "warning  source")
    assert status == 0
    monkeypatch.setenv("FITNESS_SOURCE", "folder")
    monkeypatch.setenv("FITNESS_SOURCE_PATH", str(home / "none"))
    status, lines = doctor("--quick")
    assert "correct FITNESS_SOURCE_PATH" in line_of(lines, "fault    source")
    assert status == 1


def test_an_upload_folder_that_cannot_be_reached_is_a_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch, object_store: S3Server
) -> None:
    assert not home.exists()
    url = object_store.use(monkeypatch)
    monkeypatch.setenv("FITNESS_UPLOAD_FOLDER", url)
    _, lines = doctor("--quick")
    assert line_of(lines, f"{url} can be read").startswith("ok       upload")
    monkeypatch.setenv("FITNESS_UPLOAD_FOLDER", "s3://none/folder")
    status, lines = doctor("--quick")
    assert "credentials and FITNESS_UPLOAD_FOLDER" in line_of(lines, "fault    upload")
    assert status == 1
