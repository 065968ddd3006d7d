"""The settings of the platform. Only this module reads the environment, and only on request."""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any, Literal, Self, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fitness_assets import clock, months
from fitness_assets.errors import ReleaseError, SettingsError
from fitness_assets.release.people import PeopleMode

SourceName = Literal["cohort", "folder", "exports"]

# Values of FITNESS_LAST_MONTH for a range that continues with every month.
_WITHOUT_END = ("open", "now")
_UTC = ZoneInfo("UTC")
#: Prefix of a default that is a path below the configured home.
_BELOW_HOME = "HOME/"


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """How one setting is read, and what it means.

    Attributes
    ----------
    variable : str
        Name of the environment variable.
    default : str or None
        Value of a variable that is not set or is empty, parsed like any other; ``HOME/x`` means
        ``x`` below the configured home. None means that the setting is None.
    meaning : str
        One sentence for users, as in the README.
    parse : callable
        Converts the text. Raises ValueError with the rest of a sentence that begins with the
        variable, such as ``is not a month``.
    secret : bool
        Whether the value must not appear in a message, a log or a `repr`.
    """

    variable: str
    default: str | None
    meaning: str
    parse: Callable[[str], object]
    secret: bool

    def read(self, environ: Mapping[str, str], home: Path | None) -> object:
        """The value in `environ`, or the default.

        Raises
        ------
        SettingsError
            If the value cannot be used. The message names the variable.
        """
        text = environ.get(self.variable, "").strip() or self.default
        if text is None:
            return None
        if home is not None and text == self.default and text.startswith(_BELOW_HOME):
            text = str(home / text.removeprefix(_BELOW_HOME))
        try:
            return self.parse(text)
        except ValueError as error:
            shown = self.variable if self.secret else f"{self.variable}={text!r}"
            raise SettingsError(f"{shown} {error}") from None


def _setting(
    variable: str,
    default: str | None,
    meaning: str,
    parse: Callable[[str], object] = str,
    *,
    secret: bool = False,
) -> Any:
    """A dataclass field that carries its `Declaration`."""
    declaration = Declaration(
        variable=variable, default=default, meaning=meaning, parse=parse, secret=secret
    )
    return field(repr=not secret, metadata={"declaration": declaration})


def declarations(cls: "type[DashboardSettings]") -> dict[str, Declaration]:
    """The declaration of each field of `cls`, by attribute name."""
    return {each.name: each.metadata["declaration"] for each in fields(cls)}


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _release_source(text: str) -> str:
    """A link that a release target knows, unchanged, or the absolute path of a folder."""
    # `fitness --help` reads no settings, and starts faster without the targets.
    from fitness_assets.release.registry import is_link, origin_of

    if not is_link(text):
        return str(_path(text))
    try:
        origin_of(text)
    except ReleaseError as error:
        raise ValueError(f"is not a release source: {error}") from None
    return text


def _site(text: str) -> str:
    """The origin of a site that is given by its name or its origin, as Caddy takes it."""
    origin = text.lower().rstrip("/")
    if "://" not in origin:
        origin = f"https://{origin}"
    if not re.fullmatch(r"https?://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?", origin):
        raise ValueError("is not the name of a site, such as fitness.example.org")
    return origin


def _webhook(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise ValueError("does not begin with http:// or https://")
    return text


def _month(text: str) -> str:
    try:
        months.check(text)
    except ValueError:
        raise ValueError("is not a month; write it as YYYY-MM, for example 2023-04") from None
    return text


def _last_month(text: str) -> str:
    return text if text in _WITHOUT_END else _month(text)


def _source(text: str) -> str:
    if text not in get_args(SourceName):
        raise ValueError(f"is not a source; choose one of {', '.join(get_args(SourceName))}")
    return text


def _people(text: str) -> str:
    if text not in get_args(PeopleMode):
        raise ValueError(f"is not one of {', '.join(get_args(PeopleMode))}")
    return text


def _addresses(text: str) -> tuple[str, ...]:
    values = tuple(part.strip() for part in text.split(",") if part.strip())
    for value in values:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", value):
            raise ValueError(f"holds {value!r}, which is not an e-mail address")
    return values


def _timezone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a time zone such as Europe/Berlin") from None


def _integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number from {low} to {high:,}")
        return int(text)

    return parse


def _share(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError("is not a number from 0 to 1")
    return number


def _digests(text: str) -> tuple[str, ...]:
    values = tuple(part.strip().lower() for part in text.split(",") if part)
    for value in values:
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            raise ValueError(f"holds {value!r}, which is not a SHA-256 of 64 hexadecimal digits")
    return values


_BYTES = _integer(1, 10**9)
_PORT = _integer(1, 65535)


@dataclass(frozen=True, kw_only=True)
class DashboardSettings:
    """What the dashboard needs. It starts even if a setting of the platform is wrong."""

    home: Path = _setting("FITNESS_HOME", ".fitness", "Folder that holds all state.", _path)
    release_source: str = _setting(
        "FITNESS_RELEASE_SOURCE",
        "HOME/releases",
        "Where the dashboard reads releases: a folder, or the public link of `latest.json` on "
        "Google Drive.",
        _release_source,
    )
    release_digests: tuple[str, ...] = _setting(
        "FITNESS_RELEASE_DIGESTS",
        "",
        "The only releases and private bundles that the dashboard may load: digests that "
        "`fitness release list` prints, separated by commas. Without digests it loads what its "
        "sources point to.",
        _digests,
    )
    release_cache: Path = _setting(
        "FITNESS_RELEASE_CACHE", "HOME/cache", "The dashboard's verified copy of releases.", _path
    )
    release_people_source: str | None = _setting(
        "FITNESS_RELEASE_PEOPLE_SOURCE",
        None,
        "Where the dashboard reads private tables with rows of people: a folder, or the link of "
        "their `latest.json` on Google Drive. A dashboard that reads the releases of its own home "
        "reads those of `HOME/releases-people`, others read none.",
        _release_source,
    )
    release_people_credentials: Path | None = _setting(
        "FITNESS_RELEASE_PEOPLE_CREDENTIALS",
        None,
        "JSON file of an account that may read `FITNESS_RELEASE_PEOPLE_SOURCE` on Google Drive.",
        _path,
    )
    logins: Path | None = _setting(
        "FITNESS_LOGINS",
        None,
        "TOML file with the e-mail addresses that may log in to the dashboard: a user id for each, "
        "or the role of an analyst, who sees all users.",
        _path,
    )
    memory: int = _setting(
        "FITNESS_MEMORY",
        "690000000",
        "Bytes of memory that the dashboard may use; a model that would exceed them is not loaded.",
        _integer(1, 10**12),
    )
    site: str | None = _setting(
        "FITNESS_SITE",
        None,
        "Name of the proxy in front of the Dagster UI and the dashboard, such as "
        "fitness.example.org. Without it, both answer only under `localhost` and under the IP "
        "addresses of their machine.",
        _site,
    )

    @property
    def people_source(self) -> str | None:
        """Where to read private tables with rows of people, or None."""
        if self.release_people_source is not None:
            return self.release_people_source
        own = self.release_source == str(self.home / "releases")
        return str(self.home / "releases-people") if own else None

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
            values[name] = declaration.read(environ, values.get("home"))
        settings = cls(**values)
        settings._check()
        return settings

    def _check(self) -> None:
        """Raise SettingsError if two values contradict each other."""


@dataclass(frozen=True, kw_only=True)
class Settings(DashboardSettings):
    """All settings of the platform, the dashboard's included."""

    dagster_home: Path = _setting(
        "DAGSTER_HOME", "HOME/dagster", "Dagster's storage and its `dagster.yaml`.", _path
    )
    first_month: str = _setting(
        "FITNESS_FIRST_MONTH", "2023-04", "First month of the range.", _month
    )
    last_month: str = _setting(
        "FITNESS_LAST_MONTH",
        "2023-09",
        "Last month of the range; `open` means the last month that has ended, `now` the current "
        "month to date.",
        _last_month,
    )
    source: SourceName = _setting(
        "FITNESS_SOURCE",
        "cohort",
        "Where telemetry comes from: `cohort` (synthetic), `exports` (imported) or `folder`.",
        _source,
    )
    source_path: Path | None = _setting(
        "FITNESS_SOURCE_PATH", None, "The folder that the source `folder` reads.", _path
    )
    timezone: ZoneInfo | None = _setting(
        "FITNESS_TIMEZONE",
        None,
        "The users' time zone, for exports that do not state one. Without it, days are those of "
        "the offset that a timestamp shows, else of UTC. Months begin and end in this zone, else "
        "in UTC.",
        _timezone,
    )
    cohort_users: int = _setting(
        "FITNESS_COHORT_USERS",
        "1959",
        "Number of users of the synthetic cohort.",
        _integer(1, 10_000_000),
    )
    cohort_seed: int = _setting(
        "FITNESS_COHORT_SEED",
        "1",
        "Random seed of the synthetic cohort.",
        _integer(0, 2**32 - 1),
    )
    spark_master: str = _setting("FITNESS_SPARK_MASTER", "local[*]", "URL of the Spark master.")
    spark_memory: str = _setting(
        "FITNESS_SPARK_MEMORY", "1g", "Memory of the Spark driver, in Spark's notation."
    )
    least_complete: float = _setting(
        "FITNESS_LEAST_COMPLETE",
        "0.25",
        "Smallest share of the expected days that a month must contain, from 0 to 1. Expected are "
        "the days of every user of the previous month.",
        _share,
    )
    segments_bytes: int = _setting(
        "FITNESS_SEGMENTS_BYTES",
        "200000",
        "Largest size on disk of a segment model that is released.",
        _BYTES,
    )
    classifier_bytes: int = _setting(
        "FITNESS_CLASSIFIER_BYTES",
        "1000000",
        "Largest size on disk of an activity classifier that is released.",
        _BYTES,
    )
    regressor_bytes: int = _setting(
        "FITNESS_REGRESSOR_BYTES",
        "50000",
        "Largest size on disk of a calorie regressor that is released.",
        _BYTES,
    )
    model_memory: int = _setting(
        "FITNESS_MODEL_MEMORY",
        "4000000",
        "Largest size in memory, in bytes, of any model that is released.",
        _BYTES,
    )
    failure_webhook: str | None = _setting(
        "FITNESS_FAILURE_WEBHOOK",
        None,
        "URL that receives a JSON document by POST for each run that fails.",
        _webhook,
        secret=True,
    )
    java_home: Path | None = _setting(
        "JAVA_HOME",
        None,
        "Java for Spark, used if it is version 17 or later. Otherwise Spark uses such a `java` on "
        "the `PATH`, or the Java that is installed with the platform.",
        _path,
    )
    upload_folder: Path = _setting(
        "FITNESS_UPLOAD_FOLDER",
        "HOME/drive",
        "Local folder that `drive_upload` publishes to if no Google Drive folder is set.",
        _path,
    )
    drive_folder: str | None = _setting(
        "FITNESS_DRIVE_FOLDER",
        None,
        "Id of the Google Drive folder that `drive_upload` publishes to.",
    )
    drive_credentials: Path | None = _setting(
        "FITNESS_DRIVE_CREDENTIALS",
        None,
        "JSON file of a service account or of a user's token for Google Drive.",
        _path,
    )
    drive_readers: tuple[str, ...] = _setting(
        "FITNESS_DRIVE_READERS",
        "",
        "E-mail addresses, separated by commas, of those who may read private tables with rows of "
        "people on Google Drive.",
        _addresses,
    )
    release_people: PeopleMode | None = _setting(
        "FITNESS_RELEASE_PEOPLE",
        None,
        "Where releases have tables with rows of people: `none`, `private` (a bundle for named "
        "readers) or `public`. The default is `public` for the synthetic cohort and `private` for "
        "other sources.",
        _people,
    )
    smallest_cell: int = _setting(
        "FITNESS_SMALLEST_CELL",
        "5",
        "Smallest number of people in a cell of a published table and in a leaf of a model.",
        _integer(1, 1000),
    )
    host: str = _setting("FITNESS_HOST", "127.0.0.1", "Address that `fitness serve` binds to.")
    dagster_port: int = _setting(
        "FITNESS_DAGSTER_PORT", "3000", "Port of the Dagster UI that `fitness serve` starts.", _PORT
    )
    dashboard_port: int = _setting(
        "FITNESS_DASHBOARD_PORT",
        "8501",
        "Port of the dashboard that `fitness serve` starts.",
        _PORT,
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
    def people(self) -> PeopleMode:
        """Where releases have tables with rows of people."""
        return self.release_people or ("private" if self.has_real_people else "public")

    def environment(self) -> dict[str, str]:
        """The environment of a child process that uses the same folders."""
        return os.environ | {
            "FITNESS_HOME": str(self.home),
            "DAGSTER_HOME": str(self.dagster_home),
            "FITNESS_RELEASE_SOURCE": self.release_source,
            "FITNESS_RELEASE_CACHE": str(self.release_cache),
            # A module in the working folder must not hide one that the process imports.
            "PYTHONSAFEPATH": "1",
        }

    @property
    def is_open(self) -> bool:
        """Whether the range has no last month and continues with every month."""
        return self.last_month in _WITHOUT_END

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


def declared_home() -> str:
    """The folder in FITNESS_HOME, or its default, as a message names it."""
    return str(declarations(DashboardSettings)["home"].read(os.environ, None))


def parse_timezone(name: str, value: str) -> ZoneInfo:
    """The time zone called `value`.

    Raises
    ------
    SettingsError
        If there is no such time zone. The message calls the setting `name`.
    """
    try:
        return _timezone(value)
    except ValueError as error:
        raise SettingsError(f"{name}={value!r} {error}") from None
