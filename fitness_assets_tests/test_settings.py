from datetime import date
from pathlib import Path

import pytest

from fitness_assets.errors import SettingsError
from fitness_assets.settings import Settings


def test_defaults_are_the_documented_ones() -> None:
    settings = Settings.from_env({})
    assert settings.home == Path(".fitness").absolute()
    assert settings.dagster_home == settings.home / "dagster"
    assert (settings.source, settings.cohort_users) == ("cohort", 1959)
    assert settings.months() == [f"2023-{month:02d}" for month in range(4, 10)]
    assert settings.host == "127.0.0.1"


def test_open_range_ends_with_the_last_complete_month() -> None:
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
        ("FITNESS_COHORT_USERS", "0"),
        ("FITNESS_COHORT_USERS", "many"),
        ("FITNESS_DAGSTER_PORT", "70000"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"(?s){name}.*{value}"):
        Settings.from_env({name: value})


def test_the_folder_source_needs_its_folder() -> None:
    with pytest.raises(SettingsError, match="FITNESS_SOURCE_PATH"):
        Settings.from_env({"FITNESS_SOURCE": "folder"})
