"""Every knob of the platform: the only module that reads the environment, and only when asked."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_assets import months
from fitness_assets.errors import SettingsError

SourceName = Literal["cohort", "folder", "exports"]


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
    source : {"cohort", "folder", "exports"}
        Where telemetry comes from [``FITNESS_SOURCE``, default ``cohort``].
    source_path : Path or None
        The folder that the ``folder`` source reads [``FITNESS_SOURCE_PATH``].
    timezone : ZoneInfo
        Where people live whose exports do not say it [``FITNESS_TIMEZONE``, default ``UTC``].
    cohort_users, cohort_seed : int
        Size and seed of the synthetic cohort [``FITNESS_COHORT_USERS``, default 1959;
        ``FITNESS_COHORT_SEED``, default 1].
    spark_master : str
        Spark master URL [``FITNESS_SPARK_MASTER``, default ``local[*]``].
    spark_memory : str
        Memory of the Spark driver, as Spark writes it [``FITNESS_SPARK_MEMORY``, default ``1g``].
    least_complete : float
        A month is refused if less than this share of the days expected of the people of the month
        before was delivered [``FITNESS_LEAST_COMPLETE``, from 0 to 1, default 0.25].
    segments_bytes, classifier_bytes, regressor_bytes : int
        What a model may take on disk; one that takes more is not released
        [``FITNESS_SEGMENTS_BYTES``, default 200000; ``FITNESS_CLASSIFIER_BYTES``, default 1000000;
        ``FITNESS_REGRESSOR_BYTES``, default 50000].
    model_memory : int
        Bytes that any one model may take in memory [``FITNESS_MODEL_MEMORY``, default 4000000].
    failure_webhook : str or None
        URL that is told, by a POST of JSON, of each run that fails [``FITNESS_FAILURE_WEBHOOK``].
    java_home : Path or None
        The Java to run Spark on, if it is 17 or later [``JAVA_HOME``].
    upload_folder : Path
        The local folder that `drive_upload` publishes to, unless to Google Drive
        [``FITNESS_UPLOAD_FOLDER``, default ``HOME/drive``].
    drive_folder : str or None
        Id of the folder on Google Drive that `drive_upload` publishes to
        [``FITNESS_DRIVE_FOLDER``].
    drive_credentials : Path or None
        Service account or user token, a JSON file [``FITNESS_DRIVE_CREDENTIALS``].
    release_source : str
        Where the dashboard gets its releases: a folder, or the public link of ``latest.json`` on
        Google Drive [``FITNESS_RELEASE_SOURCE``, default ``HOME/releases``].
    release_digests : tuple of str
        SHA-256 of the manifests of the releases that the dashboard may load; where there are none
        it takes what its source points to [``FITNESS_RELEASE_DIGESTS``, separated by commas].
    release_cache : Path
        The dashboard's verified copy [``FITNESS_RELEASE_CACHE``, default ``HOME/cache``].
    memory : int
        Bytes that the dashboard's process may hold; a model that would pass them is not loaded
        [``FITNESS_MEMORY``, default 690000000].
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
    timezone: ZoneInfo
    cohort_users: int
    cohort_seed: int
    spark_master: str
    spark_memory: str
    least_complete: float
    segments_bytes: int
    classifier_bytes: int
    regressor_bytes: int
    model_memory: int
    failure_webhook: str | None
    java_home: Path | None
    upload_folder: Path
    drive_folder: str | None
    drive_credentials: Path | None
    release_source: str
    release_digests: tuple[str, ...]
    release_cache: Path
    memory: int
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
        read = _Reader(os.environ if environ is None else environ)
        home = read.path("FITNESS_HOME", Path(".fitness"))
        first = read.month("FITNESS_FIRST_MONTH", "2023-04")
        if read.text("FITNESS_LAST_MONTH", "2023-09") == "open":
            last = "open"
        else:
            last = read.month("FITNESS_LAST_MONTH", "2023-09")
            if last < first:
                raise SettingsError(
                    f"FITNESS_LAST_MONTH={last} comes before FITNESS_FIRST_MONTH={first}"
                )

        source = read.text("FITNESS_SOURCE", "cohort")
        if source not in get_args(SourceName):
            raise SettingsError(
                f"FITNESS_SOURCE={source!r} is not a source; "
                f"choose one of {', '.join(get_args(SourceName))}"
            )
        source_path = read.optional_path("FITNESS_SOURCE_PATH")
        if source == "folder" and source_path is None:
            raise SettingsError("FITNESS_SOURCE=folder needs FITNESS_SOURCE_PATH, the folder")

        drive_folder = read.text("FITNESS_DRIVE_FOLDER", "") or None
        drive_credentials = read.optional_path("FITNESS_DRIVE_CREDENTIALS")
        if drive_folder and drive_credentials is None:
            raise SettingsError(
                "FITNESS_DRIVE_FOLDER needs FITNESS_DRIVE_CREDENTIALS, a JSON file of a service "
                "account or a user's token"
            )

        return cls(
            home=home,
            dagster_home=read.path("DAGSTER_HOME", home / "dagster"),
            first_month=first,
            last_month=last,
            source=cast("SourceName", source),
            source_path=source_path,
            timezone=read.zone("FITNESS_TIMEZONE", "UTC"),
            cohort_users=read.integer("FITNESS_COHORT_USERS", 1959, 1, 10_000_000),
            cohort_seed=read.integer("FITNESS_COHORT_SEED", 1, 0, 2**32 - 1),
            spark_master=read.text("FITNESS_SPARK_MASTER", "local[*]"),
            spark_memory=read.text("FITNESS_SPARK_MEMORY", "1g"),
            least_complete=read.share("FITNESS_LEAST_COMPLETE", 0.25),
            segments_bytes=read.integer("FITNESS_SEGMENTS_BYTES", 200_000, 1, 10**9),
            classifier_bytes=read.integer("FITNESS_CLASSIFIER_BYTES", 1_000_000, 1, 10**9),
            regressor_bytes=read.integer("FITNESS_REGRESSOR_BYTES", 50_000, 1, 10**9),
            model_memory=read.integer("FITNESS_MODEL_MEMORY", 4_000_000, 1, 10**9),
            failure_webhook=read.url("FITNESS_FAILURE_WEBHOOK"),
            java_home=read.optional_path("JAVA_HOME"),
            upload_folder=read.path("FITNESS_UPLOAD_FOLDER", home / "drive"),
            drive_folder=drive_folder,
            drive_credentials=drive_credentials,
            release_source=read.place("FITNESS_RELEASE_SOURCE", home / "releases"),
            release_digests=read.digests("FITNESS_RELEASE_DIGESTS"),
            release_cache=read.path("FITNESS_RELEASE_CACHE", home / "cache"),
            memory=read.integer("FITNESS_MEMORY", 690_000_000, 1, 10**12),
            host=read.text("FITNESS_HOST", "127.0.0.1"),
            dagster_port=read.integer("FITNESS_DAGSTER_PORT", 3000, 1, 65535),
            dashboard_port=read.integer("FITNESS_DASHBOARD_PORT", 8501, 1, 65535),
        )

    def environment(self) -> dict[str, str]:
        """The process environment for a child that is to see these folders."""
        return os.environ | {
            "FITNESS_HOME": str(self.home),
            "DAGSTER_HOME": str(self.dagster_home),
            "FITNESS_RELEASE_SOURCE": self.release_source,
            "FITNESS_RELEASE_CACHE": str(self.release_cache),
        }

    def months(self, today: date | None = None) -> list[str]:
        """The months of the range that have ended by `today` (None: today in UTC, like Dagster)."""
        last = self.last_month
        if last == "open":
            last = months.last_complete(today or datetime.now(UTC).date())
        return months.between(self.first_month, last)


def zone_of(name: str, value: str) -> ZoneInfo:
    """The time zone called `value`; SettingsError, which calls the setting `name`, if none is."""
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"{name}={value!r} is not a time zone such as Europe/Berlin") from None


class _Reader:
    """Environment variables as typed values; SettingsError names the one that is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def optional_path(self, name: str) -> Path | None:
        value = self.text(name, "")
        return Path(value).expanduser().absolute() if value else None

    def path(self, name: str, default: Path) -> Path:
        return self.optional_path(name) or default.absolute()

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if not value.isdecimal() or not low <= int(value) <= high:
            raise SettingsError(f"{name}={value!r} is not a whole number from {low} to {high:,}")
        return int(value)

    def zone(self, name: str, default: str) -> ZoneInfo:
        return zone_of(name, self.text(name, default))

    def share(self, name: str, default: float) -> float:
        value = self.text(name, str(default))
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            raise SettingsError(f"{name}={value!r} is not a number from 0 to 1")
        return number

    def place(self, name: str, default: Path) -> str:
        """A link as it is, or the absolute path of a folder."""
        value = self.text(name, "")
        return value if value.startswith("https://") else str(self.path(name, default))

    def digests(self, name: str) -> tuple[str, ...]:
        values = tuple(part.strip().lower() for part in self.text(name, "").split(",") if part)
        for value in values:
            if not re.fullmatch(r"[0-9a-f]{64}", value):
                raise SettingsError(f"{name}: {value!r} is not a SHA-256 of 64 hexadecimal digits")
        return values

    def url(self, name: str) -> str | None:
        value = self.text(name, "")
        if value and not value.startswith(("http://", "https://")):
            raise SettingsError(f"{name} does not begin with http:// or https://")
        return value or None

    def month(self, name: str, default: str) -> str:
        value = self.text(name, default)
        try:
            months.start(value)
        except ValueError as error:
            raise SettingsError(f"{name}: {error}") from None
        return value
