"""Every knob of the platform: the only module that reads the environment, and only when asked."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast, get_args

from fitness_assets import months
from fitness_assets.errors import SettingsError

SourceName = Literal["cohort", "folder"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The platform's configuration.

    Each attribute is read from the environment variable in brackets.

    Attributes
    ----------
    home : Path
        All state lives below this folder [``FITNESS_HOME``, default ``.fitness``].
    dagster_home : Path
        Dagster's own storage and ``dagster.yaml`` [``DAGSTER_HOME``, default ``HOME/dagster``].
    first_month, last_month : str
        The range of months, both included [``FITNESS_FIRST_MONTH``, default ``2023-04``;
        ``FITNESS_LAST_MONTH``, default ``2023-09``]. ``open`` as last means the last complete
        month, and moves with the calendar.
    source : {"cohort", "folder"}
        Where telemetry comes from [``FITNESS_SOURCE``, default ``cohort``].
    source_path : Path or None
        The folder that the ``folder`` source reads [``FITNESS_SOURCE_PATH``].
    cohort_users, cohort_seed : int
        Size and seed of the synthetic cohort [``FITNESS_COHORT_USERS``, default 1959;
        ``FITNESS_COHORT_SEED``, default 1].
    spark_master : str
        Spark master URL [``FITNESS_SPARK_MASTER``, default ``local[*]``].
    spark_memory : str
        Memory of the Spark driver, as Spark writes it [``FITNESS_SPARK_MEMORY``, default ``1g``].
    java_home : Path or None
        The Java to run Spark on, if it is 17 or later [``JAVA_HOME``].
    upload_folder : Path
        The local folder that `drive_upload` publishes to [``FITNESS_UPLOAD_FOLDER``,
        default ``HOME/drive``].
    release_folder : Path
        The releases that the dashboard reads [``FITNESS_RELEASE_FOLDER``, default
        ``HOME/releases``].
    host : str
        Address that `fitness serve` binds to [``FITNESS_HOST``, default ``127.0.0.1``].
    dagster_port, dashboard_port : int
        Ports of `fitness serve` [``FITNESS_DAGSTER_PORT``, default 3000;
        ``FITNESS_DASHBOARD_PORT``, default 8501].
    """

    home: Path
    dagster_home: Path
    first_month: str
    last_month: str
    source: SourceName
    source_path: Path | None
    cohort_users: int
    cohort_seed: int
    spark_master: str
    spark_memory: str
    java_home: Path | None
    upload_folder: Path
    release_folder: Path
    host: str
    dagster_port: int
    dashboard_port: int

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read the settings from `environ` (the process environment if None).

        Raises
        ------
        SettingsError
            Naming the variable whose value cannot be used.
        """
        env = os.environ if environ is None else environ

        def text(name: str, default: str) -> str:
            return env.get(name, "").strip() or default

        def optional_path(name: str) -> Path | None:
            value = text(name, "")
            return Path(value).expanduser().absolute() if value else None

        def path(name: str, default: Path) -> Path:
            return optional_path(name) or default.absolute()

        def integer(name: str, default: int, low: int, high: int) -> int:
            value = text(name, str(default))
            if not value.isdecimal() or not low <= int(value) <= high:
                raise SettingsError(
                    f"{name}={value!r} is not a whole number from {low} to {high:,}"
                )
            return int(value)

        def month(name: str, default: str) -> str:
            value = text(name, default)
            try:
                months.start(value)
            except ValueError as error:
                raise SettingsError(f"{name}: {error}") from None
            return value

        home = path("FITNESS_HOME", Path(".fitness"))
        first = month("FITNESS_FIRST_MONTH", "2023-04")
        if text("FITNESS_LAST_MONTH", "2023-09") == "open":
            last = "open"
        else:
            last = month("FITNESS_LAST_MONTH", "2023-09")
            if last < first:
                raise SettingsError(
                    f"FITNESS_LAST_MONTH={last} comes before FITNESS_FIRST_MONTH={first}"
                )

        source = text("FITNESS_SOURCE", "cohort")
        if source not in get_args(SourceName):
            raise SettingsError(
                f"FITNESS_SOURCE={source!r} is not a source; "
                f"choose one of {', '.join(get_args(SourceName))}"
            )
        source_path = optional_path("FITNESS_SOURCE_PATH")
        if source == "folder" and source_path is None:
            raise SettingsError("FITNESS_SOURCE=folder needs FITNESS_SOURCE_PATH, the folder")

        return cls(
            home=home,
            dagster_home=path("DAGSTER_HOME", home / "dagster"),
            first_month=first,
            last_month=last,
            source=cast("SourceName", source),
            source_path=source_path,
            cohort_users=integer("FITNESS_COHORT_USERS", 1959, 1, 10_000_000),
            cohort_seed=integer("FITNESS_COHORT_SEED", 1, 0, 2**32 - 1),
            spark_master=text("FITNESS_SPARK_MASTER", "local[*]"),
            spark_memory=text("FITNESS_SPARK_MEMORY", "1g"),
            java_home=optional_path("JAVA_HOME"),
            upload_folder=path("FITNESS_UPLOAD_FOLDER", home / "drive"),
            release_folder=path("FITNESS_RELEASE_FOLDER", home / "releases"),
            host=text("FITNESS_HOST", "127.0.0.1"),
            dagster_port=integer("FITNESS_DAGSTER_PORT", 3000, 1, 65535),
            dashboard_port=integer("FITNESS_DASHBOARD_PORT", 8501, 1, 65535),
        )

    def environment(self) -> dict[str, str]:
        """The process environment for a child that is to see these folders."""
        return os.environ | {
            "FITNESS_HOME": str(self.home),
            "DAGSTER_HOME": str(self.dagster_home),
            "FITNESS_RELEASE_FOLDER": str(self.release_folder),
        }

    def months(self, today: date | None = None) -> list[str]:
        """The months of the range that have ended by `today` (None: today in UTC, like Dagster)."""
        last = self.last_month
        if last == "open":
            last = months.last_complete(today or datetime.now(UTC).date())
        return months.between(self.first_month, last)
