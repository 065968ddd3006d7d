"""A home of one user with 15 months, the last of which is partial."""

import pytest

from fitness_assets.answers.home import Home
from fitness_assets.cli.answering import open_home
from fitness_assets.settings import Settings
from fitness_assets_tests.support.questions import build_home


@pytest.fixture(scope="session")
def asked_settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The settings of the home. Tests must not write to it."""
    return build_home(tmp_path_factory.mktemp("asked"))


@pytest.fixture(scope="session")
def asked(asked_settings: Settings) -> Home:
    """The home, for reading."""
    return open_home(asked_settings)
