"""The settings of the platform. Only this module reads the environment, and only on request."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from fitness_assets import clock, months
from fitness_assets.declarations import (
    WITHOUT_END,
    SourceName,
    declarations,
    parse_addresses,
    parse_bytes,
    parse_digests,
    parse_integer_within,
    parse_last_month,
    parse_month,
    parse_names,
    parse_path,
    parse_people,
    parse_port,
    parse_release_source,
    parse_share,
    parse_site,
    parse_source,
    parse_timezone,
    parse_webhook,
    setting,
)
from fitness_assets.errors import SettingsError
from fitness_assets.release.people import PeopleMode
from fitness_assets.storage.locations import Location, location

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, kw_only=True)
class DashboardSettings:
    """What the dashboard needs. It starts even if a setting of the platform is wrong.

    What is published is in `storage`, and all other state in the local folder `home`. Both are the
    same folder unless FITNESS_HOME is the URL of an object store.
    """

    storage: Location = setting(
        "FITNESS_HOME",
        ".fitness",
        "Folder that holds all state, or the URL of a folder in an object store that holds what is "
        "published, such as `s3://bucket/folder`.",
        location,
    )
    home: Path = setting(
        "FITNESS_STATE",
        "HOME",
        "Local folder for what no object store holds: Dagster's storage, imports, keys and "
        "temporary files. If `FITNESS_HOME` is a URL, the default is `.fitness`.",
        parse_path,
    )
    release_source: str = setting(
        "FITNESS_RELEASE_SOURCE",
        "HOME/releases",
        "Where the dashboard reads releases: a folder, its URL in an object store, or the public "
        "link of `latest.json` on Google Drive.",
        parse_release_source,
    )
    release_digests: tuple[str, ...] = setting(
        "FITNESS_RELEASE_DIGESTS",
        "",
        "The only releases and private bundles that the dashboard may load: digests that "
        "`fitness release list` prints, separated by commas. Without digests it loads what its "
        "sources point to.",
        parse_digests,
    )
    release_cache: Path = setting(
        "FITNESS_RELEASE_CACHE",
        "STATE/cache",
        "The dashboard's verified copy of releases.",
        parse_path,
    )
    release_people_source: str | None = setting(
        "FITNESS_RELEASE_PEOPLE_SOURCE",
        None,
        "Where the dashboard reads private tables with rows of people: a folder, its URL in an "
        "object store, or the link of their `latest.json` on Google Drive. A dashboard that reads "
        "the releases of its own home reads those of `HOME/releases-people`, others read none.",
        parse_release_source,
    )
    release_people_credentials: Path | None = setting(
        "FITNESS_RELEASE_PEOPLE_CREDENTIALS",
        None,
        "JSON file of an account that may read `FITNESS_RELEASE_PEOPLE_SOURCE` on Google Drive.",
        parse_path,
    )
    logins: Path | None = setting(
        "FITNESS_LOGINS",
        None,
        "TOML file with the e-mail addresses that may log in to the dashboard: a user id for each, "
        "or the role of an analyst, who sees all users.",
        parse_path,
    )
    memory: int = setting(
        "FITNESS_MEMORY",
        "690000000",
        "Bytes of memory that the dashboard may use; a model that would exceed them is not loaded.",
        parse_integer_within(1, 10**12),
    )
    site: str | None = setting(
        "FITNESS_SITE",
        None,
        "Name of the proxy in front of the Dagster UI and the dashboard, such as "
        "fitness.example.org. Without it, both answer only under `localhost` and under the IP "
        "addresses of their machine.",
        parse_site,
    )

    @property
    def people_source(self) -> str | None:
        """Where to read private tables with rows of people, or None."""
        if self.release_people_source is not None:
            return self.release_people_source
        own = self.release_source == str(self.storage / "releases")
        return str(self.storage / "releases-people") if own else None

    @property
    def people_cache(self) -> Path:
        """The dashboard's copy of these tables, next to that of the releases."""
        return self.release_cache.with_name(f"{self.release_cache.name}-people")

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Read the settings from `environ` (the process environment if None).

        Raises
        ------
        SettingsError
            If a value cannot be used. The message names the variable.
        """
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        for name, declaration in declarations(cls).items():
            values[name] = declaration.read(environ, values.get("storage"), values.get("home"))
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        """Raise SettingsError if two values contradict each other."""


@dataclass(frozen=True, kw_only=True)
class Settings(DashboardSettings):
    """All settings of the platform, the dashboard's included."""

    dagster_home: Path = setting(
        "DAGSTER_HOME", "STATE/dagster", "Dagster's storage and its `dagster.yaml`.", parse_path
    )
    first_month: str = setting(
        "FITNESS_FIRST_MONTH", "2023-04", "First month of the range.", parse_month
    )
    last_month: str = setting(
        "FITNESS_LAST_MONTH",
        "2023-09",
        "Last month of the range; `open` means the last month that has ended, `now` the current "
        "month to date.",
        parse_last_month,
    )
    source: SourceName = setting(
        "FITNESS_SOURCE",
        "cohort",
        "Where telemetry comes from: `cohort` (synthetic), `exports` (imported) or `folder`.",
        parse_source,
    )
    source_order: tuple[str, ...] = setting(
        "FITNESS_SOURCE_ORDER",
        "",
        "Formats, separated by commas and the preferred one first, for days of which several "
        "imports have the same measure, and for workouts that several recorded; "
        "`sleep_hours:whoop` is of one measure of days. Without an order, and after it, the import "
        "that was delivered last is preferred.",
        parse_names,
    )
    source_path: Path | None = setting(
        "FITNESS_SOURCE_PATH", None, "The folder that the source `folder` reads.", parse_path
    )
    timezone: ZoneInfo | None = setting(
        "FITNESS_TIMEZONE",
        None,
        "The users' time zone, for exports that do not state one. Without it, days are those of "
        "the offset that a timestamp shows, else of UTC. Months begin and end in this zone, else "
        "in UTC.",
        parse_timezone,
    )
    cohort_users: int = setting(
        "FITNESS_COHORT_USERS",
        "1959",
        "Number of users of the synthetic cohort.",
        parse_integer_within(1, 10_000_000),
    )
    cohort_seed: int = setting(
        "FITNESS_COHORT_SEED",
        "1",
        "Random seed of the synthetic cohort.",
        parse_integer_within(0, 2**32 - 1),
    )
    spark_master: str = setting("FITNESS_SPARK_MASTER", "local[*]", "URL of the Spark master.")
    spark_memory: str = setting(
        "FITNESS_SPARK_MEMORY", "1g", "Memory of the Spark driver, in Spark's notation."
    )
    least_complete: float = setting(
        "FITNESS_LEAST_COMPLETE",
        "0.25",
        "Smallest share of the expected days that a month must contain, from 0 to 1. Expected are "
        "the days of every user of the previous month.",
        parse_share,
    )
    segments_bytes: int = setting(
        "FITNESS_SEGMENTS_BYTES",
        "200000",
        "Largest size on disk of a segment model that is released.",
        parse_bytes,
    )
    classifier_bytes: int = setting(
        "FITNESS_CLASSIFIER_BYTES",
        "1000000",
        "Largest size on disk of an activity classifier that is released.",
        parse_bytes,
    )
    regressor_bytes: int = setting(
        "FITNESS_REGRESSOR_BYTES",
        "50000",
        "Largest size on disk of a calorie regressor that is released.",
        parse_bytes,
    )
    model_memory: int = setting(
        "FITNESS_MODEL_MEMORY",
        "4000000",
        "Largest size in memory, in bytes, of any model that is released.",
        parse_bytes,
    )
    failure_webhook: str | None = setting(
        "FITNESS_FAILURE_WEBHOOK",
        None,
        "URL that receives a JSON document by POST for each run that fails.",
        parse_webhook,
        secret=True,
    )
    java_home: Path | None = setting(
        "JAVA_HOME",
        None,
        "Java for Spark, used if it is version 17 or later. Otherwise Spark uses such a `java` on "
        "the `PATH`, or the Java that is installed with the platform.",
        parse_path,
    )
    upload_folder: Location = setting(
        "FITNESS_UPLOAD_FOLDER",
        "HOME/drive",
        "Folder, or its URL in an object store, that `drive_upload` publishes to if no Google "
        "Drive folder is set. Private tables with rows of people are not uploaded to a URL; they "
        "stay in `FITNESS_HOME`.",
        location,
    )
    drive_folder: str | None = setting(
        "FITNESS_DRIVE_FOLDER",
        None,
        "Id of the Google Drive folder that `drive_upload` publishes to.",
    )
    drive_credentials: Path | None = setting(
        "FITNESS_DRIVE_CREDENTIALS",
        None,
        "JSON file of a service account or of a user's token for Google Drive.",
        parse_path,
    )
    drive_readers: tuple[str, ...] = setting(
        "FITNESS_DRIVE_READERS",
        "",
        "E-mail addresses, separated by commas, of those who may read private tables with rows of "
        "people on Google Drive.",
        parse_addresses,
    )
    release_people: PeopleMode | None = setting(
        "FITNESS_RELEASE_PEOPLE",
        None,
        "Where releases have tables with rows of people: `none`, `private` (a bundle for named "
        "readers) or `public`. The default is `public` for the synthetic cohort and `private` for "
        "other sources.",
        parse_people,
    )
    smallest_cell: int = setting(
        "FITNESS_SMALLEST_CELL",
        "5",
        "Smallest number of people in a cell of a published table and in a leaf of a model.",
        parse_integer_within(1, 1000),
    )
    host: str = setting("FITNESS_HOST", "127.0.0.1", "Address that `fitness serve` binds to.")
    dagster_port: int = setting(
        "FITNESS_DAGSTER_PORT",
        "3000",
        "Port of the Dagster UI that `fitness serve` starts.",
        parse_port,
    )
    dashboard_port: int = setting(
        "FITNESS_DASHBOARD_PORT",
        "8501",
        "Port of the dashboard that `fitness serve` starts.",
        parse_port,
    )

    def _check(self) -> None:
        if not self.is_open and self.last_month < self.first_month:
            raise SettingsError(
                f"FITNESS_LAST_MONTH={self.last_month} comes before "
                f"FITNESS_FIRST_MONTH={self.first_month}"
            )
        if self.source == "folder" and self.source_path is None:
            raise SettingsError("FITNESS_SOURCE=folder needs FITNESS_SOURCE_PATH, the folder")
        if self.drive_folder and self.drive_credentials is None:
            raise SettingsError(
                "FITNESS_DRIVE_FOLDER needs FITNESS_DRIVE_CREDENTIALS, a JSON file of a service "
                "account or a user's token"
            )

    @property
    def has_real_people(self) -> bool:
        """Whether the source holds data of real people."""
        return self.source != "cohort"

    @property
    def has_small_months(self) -> bool:
        """Whether a month takes less time and memory than the processes that work on it.

        Exports are of few people and many months. Months of other sources may be large.
        """
        return self.source == "exports"

    @property
    def people(self) -> PeopleMode:
        """Where releases have tables with rows of people."""
        return self.release_people or ("private" if self.has_real_people else "public")

    def environment(self) -> dict[str, str]:
        """The environment of a child process that uses the same folders."""
        return os.environ | {
            "FITNESS_HOME": str(self.storage),
            "FITNESS_STATE": str(self.home),
            "DAGSTER_HOME": str(self.dagster_home),
            "FITNESS_RELEASE_SOURCE": self.release_source,
            "FITNESS_RELEASE_CACHE": str(self.release_cache),
            # A module in the working folder must not hide one that the process imports.
            "PYTHONSAFEPATH": "1",
        }

    @property
    def is_open(self) -> bool:
        """Whether the range has no last month and continues with every month."""
        return self.last_month in WITHOUT_END

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which months begin and end."""
        return self.timezone or _UTC

    def months(self, today: date | None = None) -> list[str]:
        """The months of the range that have ended by `today`, and its month if the range says so.

        Parameters
        ----------
        today : date, optional
            By default the current date in `zone`.
        """
        today = today or clock.today(self.zone)
        if self.last_month == "now":
            return months.between(self.first_month, months.key(today))
        complete = months.last_complete(today)
        last = complete if self.is_open else min(self.last_month, complete)
        return months.between(self.first_month, last)


#: The id of a `fitness serve`, which only it sets for the processes that it starts.
SERVE_VARIABLE = "FITNESS_SERVE_ID"


def current_serve() -> str | None:
    """The id of the `fitness serve` that started this process, or None."""
    return os.environ.get(SERVE_VARIABLE)


#: Files in which the client of OpenLineage looks for its settings, if no variable names one.
_LINEAGE_FILES = (Path("openlineage.yml"), Path("~/.openlineage/openlineage.yml"))


def lineage_namespace() -> str | None:
    """The namespace of events of OpenLineage; None if no collector is configured.

    Its client reads variables of its own (OPENLINEAGE_URL, OPENLINEAGE_CONFIG, and those that begin
    with OPENLINEAGE__TRANSPORT), or a file.
    """
    if os.environ.get("OPENLINEAGE_DISABLED", "").strip().lower() == "true":
        return None
    named = any(
        os.environ[name]
        for name in os.environ
        if name in ("OPENLINEAGE_URL", "OPENLINEAGE_CONFIG")
        or name.startswith("OPENLINEAGE__TRANSPORT")
    )
    if not named and not any(path.expanduser().is_file() for path in _LINEAGE_FILES):
        return None
    return os.environ.get("OPENLINEAGE_NAMESPACE") or "fitness_assets"


#: Settings of the machine. The others say what data there is, and what becomes of it.
_OF_MACHINE = frozenset(
    {
        "FITNESS_HOST",
        "FITNESS_DAGSTER_PORT",
        "FITNESS_DASHBOARD_PORT",
        "FITNESS_SPARK_MEMORY",
        "JAVA_HOME",
    }
)


def use_environment(values: Mapping[str, str]) -> None:
    """Let these variables, and those of the machine, be all settings of this process.

    The processes that it starts inherit them.
    """
    for declaration in declarations(Settings).values():
        if declaration.variable not in _OF_MACHINE:
            os.environ.pop(declaration.variable, None)
    os.environ.update(values)


def declared_home() -> str:
    """The folder or URL in FITNESS_HOME, or its default, as a message names it."""
    return str(declarations(DashboardSettings)["storage"].read(os.environ))
