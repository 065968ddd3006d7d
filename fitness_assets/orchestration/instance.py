"""The Dagster instance of the configured home: runs, events and schedules."""

from pathlib import Path

import dagster as dg

from fitness_assets.settings import Settings
from fitness_assets.storage.publication import write_atomically

_DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")


def prepare_home(settings: Settings) -> Path:
    """Create Dagster's home, with our ``dagster.yaml`` unless it has one already."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "dagster.yaml").exists():
        write_atomically(home / "dagster.yaml", _DAGSTER_YAML.read_bytes())
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that the webserver, the daemon and the commands share."""
    return dg.DagsterInstance.from_config(str(prepare_home(settings)))
