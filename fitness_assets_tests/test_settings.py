import logging
import re
from datetime import date
from pathlib import Path

import pytest

from fitness_assets.declarations import declarations
from fitness_assets.errors import SettingsError
from fitness_assets.settings import DashboardSettings, Settings


def test_defaults() -> None:
    settings = Settings.from_env({})
    assert settings.home == Path(".fitness").absolute()
    assert settings.dagster_home == settings.home / "dagster"
    assert (settings.source, settings.cohort_users) == ("cohort", 1959)
    assert settings.months() == [f"2023-{month:02d}" for month in range(4, 10)]
    assert settings.host == "127.0.0.1"
    assert settings.release_source == str(settings.home / "releases")
    assert settings.release_digests == ()


def test_default_folders_are_below_the_configured_home(tmp_path: Path) -> None:
    settings = Settings.from_env({"FITNESS_HOME": str(tmp_path), "FITNESS_RELEASE_CACHE": "HOME/x"})
    assert settings.upload_folder == tmp_path / "drive"
    assert settings.release_cache == Path("HOME/x").absolute(), "HOME/ is not syntax for users"


def test_a_home_in_an_object_store_has_a_local_folder_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Spark sets it for the process.
    monkeypatch.delenv("JAVA_HOME", raising=False)
    settings = Settings.from_env({"FITNESS_HOME": "s3://bucket/some/prefix/"})
    assert str(settings.storage) == "s3://bucket/some/prefix"
    assert settings.home == Path(".fitness").absolute()
    assert settings.release_source == "s3://bucket/some/prefix/releases"
    assert settings.people_source == "s3://bucket/some/prefix/releases-people"
    assert str(settings.upload_folder) == "s3://bucket/some/prefix/drive"
    assert settings.release_cache == settings.home / "cache"
    assert settings.dagster_home == settings.home / "dagster"
    state = {"FITNESS_HOME": "s3://bucket", "FITNESS_STATE": str(tmp_path)}
    assert Settings.from_env(state).home == tmp_path
    assert Settings.from_env(Settings.from_env(state).environment()) == Settings.from_env(state)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("file:///state", "is a folder of this machine"),
        ("s3://", "is not the URL of a bucket"),
        ("s3://bucket/prefix?x=1", "is not the URL of a bucket"),
    ],
)
@pytest.mark.parametrize(
    "name", ["FITNESS_HOME", "FITNESS_UPLOAD_FOLDER", "FITNESS_RELEASE_SOURCE"]
)
def test_the_url_of_an_object_store_is_checked(name: str, url: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=f"{name}='{re.escape(url)}' {problem}"):
        Settings.from_env({name: url})


@pytest.mark.parametrize(
    "name", ["FITNESS_HOME", "FITNESS_UPLOAD_FOLDER", "FITNESS_RELEASE_SOURCE"]
)
def test_credentials_in_a_url_are_refused_and_not_shown(name: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({name: "s3://key:password@bucket/prefix"})
    assert str(error.value).startswith(f"{name} is not the URL of a bucket")
    assert "password" not in str(error.value)


def test_an_open_range_ends_with_the_last_complete_month() -> None:
    settings = Settings.from_env({"FITNESS_LAST_MONTH": "open"})
    assert settings.months(date(2023, 7, 1))[-1] == "2023-06"
    assert settings.months(date(2023, 6, 30))[-1] == "2023-05"
    assert settings.months(date(2023, 4, 30)) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FITNESS_FIRST_MONTH", "April"),
        ("FITNESS_LAST_MONTH", "2023-13"),
        ("FITNESS_LAST_MONTH", "2023-03"),
        ("FITNESS_SOURCE", "fitbit"),
        ("FITNESS_TIMEZONE", "Mars/Crater"),
        ("FITNESS_COHORT_USERS", "0"),
        ("FITNESS_COHORT_USERS", "many"),
        ("FITNESS_LEAST_COMPLETE", "2"),
        ("FITNESS_RELEASE_DIGESTS", "abc"),
        ("FITNESS_DAGSTER_PORT", "70000"),
    ],
)
def test_an_error_names_the_variable_and_the_value(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s){name}.*{value}"):
        Settings.from_env({name: value})


def test_the_folder_source_needs_its_folder() -> None:
    with pytest.raises(SettingsError, match="FITNESS_SOURCE_PATH"):
        Settings.from_env({"FITNESS_SOURCE": "folder"})


def test_a_drive_folder_needs_credentials() -> None:
    with pytest.raises(SettingsError, match="FITNESS_DRIVE_CREDENTIALS"):
        Settings.from_env({"FITNESS_DRIVE_FOLDER": "id"})


def test_the_dashboard_reads_only_its_own_settings(tmp_path: Path) -> None:
    environ = {"FITNESS_HOME": str(tmp_path), "FITNESS_SOURCE": "fitbit"}
    settings = DashboardSettings.from_env(environ)
    assert settings.release_source == str(tmp_path / "releases")
    with pytest.raises(SettingsError, match="FITNESS_MEMORY='all'"):
        DashboardSettings.from_env({"FITNESS_MEMORY": "all"})


def test_no_message_or_log_shows_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    url = "https://chat.example/hook/s3cret"
    settings = Settings.from_env({"FITNESS_FAILURE_WEBHOOK": url})
    assert settings.failure_webhook == url
    with caplog.at_level(logging.INFO):
        logging.getLogger(__name__).info("%r %s", settings, settings)
    assert "s3cret" not in caplog.text
    with pytest.raises(SettingsError, match="FITNESS_FAILURE_WEBHOOK") as error:
        Settings.from_env({"FITNESS_FAILURE_WEBHOOK": "chat.example/hook/s3cret"})
    assert "s3cret" not in str(error.value)


def test_each_setting_is_declared_once_with_a_sentence() -> None:
    declared = declarations(Settings)
    variables = [each.variable for each in declared.values()]
    assert len(variables) == len(set(variables))
    for each in declared.values():
        assert re.fullmatch(r"[A-Z].*\.", each.meaning), each.variable
