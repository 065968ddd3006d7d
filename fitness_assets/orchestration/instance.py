"""The Dagster instance of the configured home: runs, events and schedules."""

import hashlib
from pathlib import Path

import dagster as dg
import yaml

from fitness_assets.settings import Settings
from fitness_assets.storage.publication import locked, write_atomically

_DAGSTER_YAML = Path(__file__).with_name("dagster.yaml")
_LAUNCHER = "fitness_assets.orchestration.launcher"
#: SHA-256 of the unedited ``dagster.yaml`` of each earlier version.
_EARLIER = frozenset(
    {
        "3e9bc696e21a6b3f12b38cd8da4cc06bee06b74ca57c332542398ce82af19f6b",
        "2e6cdcd79faa537b43814b2fefab59900b4076d78b4ec0a16cdcfb0fdb36cabf",
        "35276deddbe180d007796063769767ce8537fd6ad0fbf467d4b7d029492c25f5",
    }
)


def prepare_home(settings: Settings) -> Path:
    """Create Dagster's home, with our ``dagster.yaml`` unless it has one of its own."""
    home = settings.dagster_home
    home.mkdir(parents=True, exist_ok=True)
    path = home / "dagster.yaml"
    if not path.exists() or digest(path) in _EARLIER:
        write_atomically(path, _DAGSTER_YAML.read_bytes())
    return home


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def launcher_hint(path: Path) -> str | None:
    """What to add to the ``dagster.yaml`` at `path` if it names no run launcher; else None.

    One that was edited before there was a run launcher has none.
    """
    content = yaml.safe_load(path.read_text()) or {}
    if "run_launcher" in content or digest(path) in _EARLIER:
        return None
    return (
        f"{path} names no run_launcher, so that Dagster's daemon does not see when the process of "
        f"a run has ended; add `run_launcher: {{module: {_LAUNCHER}, class: LocalRunLauncher}}`"
    )


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance that the webserver, the daemon and the commands share.

    One process at a time: if two create Dagster's databases at once, each marks its tables with a
    version, and Dagster refuses databases with two.
    """
    with locked(settings.dagster_home):
        return dg.DagsterInstance.from_config(str(prepare_home(settings)))
