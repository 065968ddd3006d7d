"""A published release: its manifest, its models, its tables and its metrics."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import msgspec

from fitness_assets.errors import StorageError
from fitness_assets.models.reports import BacktestReport, CompressionReport, ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.release import personal
from fitness_assets.release.parts import files_of
from fitness_assets.release.people import PEOPLE_TABLES
from fitness_assets.release.personal import PERSONAL, PersonalReport
from fitness_assets.storage import documents, publication
from fitness_assets.storage.locations import Location
from fitness_assets.storage.publication import Manifest, StoredFile, read_bytes

# Settings import this module by way of the registry of targets: keep the import of it cheap.
if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

#: File name of a release's manifest.
MANIFEST = "manifest.json"
#: Names of all manifests below a home.
MANIFESTS = (MANIFEST, publication.MANIFEST)
#: File name of a release's metrics.
METRICS = "metrics.json"
#: Version of the content of a release. Readers refuse other versions.
SCHEMA_VERSION = 7


class MonthSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Totals and means of one month of `daily_activity`.

    Means are over the records that have a value, and None where no record has one.
    """

    records: int
    users: int
    days: int
    worn_records: int
    total_steps: int
    total_kcal: float
    mean_steps: float | None
    mean_kcal: float | None
    mean_heart_rate: float | None
    mean_sleep_hours: float | None
    activities: dict[str, int]


class Projection(msgspec.Struct, frozen=True, kw_only=True):
    """The two axes of the map of users: principal components of the features of the segments.

    Attributes
    ----------
    explained : list of float
        Share of the variance that each axis explains.
    loadings : dict
        Loading of a feature on each axis, by feature.
    """

    explained: list[float]
    loadings: dict[str, list[float]]


class Fallback(msgspec.Struct, frozen=True, kw_only=True):
    """The model that a release carries if the month released none: its month and its report."""

    month: str
    report: ModelReport


class ReleasedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model in a release.

    Attributes
    ----------
    report : ModelReport
        Of the model of the month, released or not.
    fallback : Fallback or None
        None if the month released its model, or there is no earlier model to carry instead.
    """

    report: ModelReport
    fallback: Fallback | None = None

    @property
    def carried(self) -> ModelReport | None:
        """The report of the model that the release carries; None if it carries none."""
        if self.report.released:
            return self.report
        return self.fallback.report if self.fallback else None


class DataReport(msgspec.Struct, frozen=True, kw_only=True):
    """The month of `daily_activity` that a release is built from.

    Attributes
    ----------
    delivered : int
        Records of `raw_telemetry`.
    unread : dict
        Why a file of the source could not be read, by file name.
    checks : list of CheckResult
        Results of the data checks.
    rows, bytes, columns : int
        Size of the month in the lake.
    bytes_read, columns_read : int
        The part of it that was read for the tables of distributions.
    """

    delivered: int
    unread: dict[str, str]
    checks: list[CheckResult]
    rows: int
    bytes: int
    bytes_read: int
    columns: int
    columns_read: int


class ReleaseReport(msgspec.Struct, frozen=True, kw_only=True):
    """The ``metrics.json`` of a release.

    Attributes
    ----------
    models : dict of str to ReleasedModel
        By model name.
    data : DataReport
    backtest : BacktestReport or None
        None if it was not materialized, like `compression`.
    compression : CompressionReport or None
    projection : Projection or None
        None if the month has no segments of its own.
    renamed_segments : dict
        Name in the previous month of each segment that had another name then, by current name.
    """

    models: dict[str, ReleasedModel]
    data: DataReport
    backtest: BacktestReport | None
    compression: CompressionReport | None
    projection: Projection | None
    renamed_segments: dict[str, str]


class ReleaseInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a release says about its content.

    Attributes
    ----------
    month : str
    schema_version : int
        See `SCHEMA_VERSION`.
    summary : MonthSummary
    upstream : dict
        Data version of each upstream asset of the month, by asset name.
    learned_from : dict
        Data version of each month of `daily_activity` that a model was trained on, by model.
    checks : dict
        Whether each data check of the month passed, by check name.
    backtest : dict
        Headline scores of the backtest, by model.
    not_released : dict
        Why the month's own model was not released, by model.
    fallbacks : dict
        Month of the model that is carried in its place, by model.
    libraries : dict
        Versions of Python and of the libraries that the release was built with.
    partial_until : date or None
        The last day so far if the month had not ended; its models were trained on the months
        before. None if the month is whole.
    one_user_in : int
        Tables of distributions are of one in so many users. One: of all of them. Counts and means
        by date and by activity are of all users.
    """

    month: str
    schema_version: int = SCHEMA_VERSION
    summary: MonthSummary
    upstream: dict[str, str]
    learned_from: dict[str, dict[str, str]]
    checks: dict[str, bool]
    backtest: dict[str, dict[str, float]]
    not_released: dict[str, str]
    fallbacks: dict[str, str]
    libraries: dict[str, str]
    partial_until: date | None = None
    one_user_in: int = 1


def read_info(manifest: Manifest, month: str) -> ReleaseInfo:
    """The release information in `manifest`.

    Raises
    ------
    StorageError
        If the schema version is not `SCHEMA_VERSION`, the release is of another month, or a field
        is missing or of another type.
    """
    version = manifest.info.get("schema_version")
    if version != SCHEMA_VERSION:
        raise StorageError(
            f"the release of {month} has schema version {version}, this version reads "
            f"{SCHEMA_VERSION}; run `fitness backfill {month}`"
        )
    info = documents.convert(manifest.info, ReleaseInfo, f"the manifest of the release of {month}")
    if info.month != month:
        raise StorageError(f"the manifest of the release of {month} is of month {info.month}")
    return info


def read_report(content: bytes, month: str) -> ReleaseReport:
    """The metrics of the release of `month`.

    Raises
    ------
    StorageError
        If a field is missing or of another type, or `content` is too large.
    """
    return documents.decode(content, ReleaseReport, f"the metrics of the release of {month}")


@dataclass(frozen=True)
class Release:
    """One published release. Each file is verified against the manifest when it is read.

    Attributes
    ----------
    month : str
    folder : Path or ObjectPath
        The folder that holds the files.
    manifest : Manifest
    """

    month: str
    folder: Location
    manifest: Manifest

    @property
    def info(self) -> ReleaseInfo:
        """The release information in the manifest."""
        return read_info(self.manifest, self.month)

    def report(self) -> ReleaseReport:
        """The reports on the data and the models of the month."""
        return read_report(self._read(METRICS), self.month)

    def model_file(self, name: str) -> StoredFile | None:
        """The file of the model `name`, or None if the release has no such model."""
        files = {file.name: file for file in self.manifest.files}
        return files.get(f"{name}.skops")

    def model(self, name: str) -> "Pipeline | None":
        """Load the model `name`; None if the release has no such model."""
        from fitness_assets.storage.models import load

        file = self.model_file(name)
        return load(self._read(file.name), f"{self.month} {file.name}") if file else None

    def model_memory(self, name: str) -> int:
        """Bytes of the file of the model `name`, and of its arrays and forests in memory.

        They follow from the file, and not from what the release says about it.
        """
        from fitness_assets.models.forests.packed.format import memory_bytes
        from fitness_assets.storage.models import verify

        file = self.model_file(name)
        if file is None:
            return 0
        checked = verify(self._read(file.name), f"{self.month} {file.name}")
        arrays = sum(map(len, checked.members.values()))
        return file.bytes + arrays + sum(map(memory_bytes, checked.forests))

    def has_table(self, name: str) -> bool:
        """Whether the release has the table `name`."""
        return bool(self._parts(name))

    @property
    def has_people(self) -> bool:
        """Whether the release has tables with rows of people, or personal models."""
        return self._has(PERSONAL) or any(self.has_table(name) for name in PEOPLE_TABLES)

    def personal(self) -> PersonalReport | None:
        """The reports on the personal models of the month; None if the release has none."""
        return personal.read(self._read(PERSONAL), self.month) if self._has(PERSONAL) else None

    def personal_model(self, name: str) -> "Pipeline | None":
        """Load the personal model `name`; None if the release has no such model."""
        from fitness_assets.storage.models import load

        file = personal.model_file(name)
        return load(self._read(file), f"{self.month} {file}") if self._has(file) else None

    def _has(self, file: str) -> bool:
        return any(known.name == file for known in self.manifest.files)

    def table(
        self, name: str, columns: Sequence[str] | None = None, user: str | None = None
    ) -> "pd.DataFrame":
        """Read the table `name`.

        Parameters
        ----------
        name : str
        columns : sequence of str, optional
            Columns to read; all by default.
        user : str, optional
            Read only the rows of this user. Other parts of the table are not read, and row groups
            without them are not decoded.
        """
        import pandas as pd

        from fitness_assets.record.buckets import Bucket
        from fitness_assets.storage import parquet_file

        files, filters = self._parts(name), None
        if not files:
            raise StorageError(f"the release of {self.month} has no table {name}")
        if user is not None:
            filters = [("user_id", "==", user)]
            files = [files[Bucket.of(user, len(files)).index]]
        parts = [
            parquet_file.read(self._read(file), f"{self.month} {file}", columns, filters)
            for file in files
        ]
        return parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)

    def users(self) -> list[str]:
        """Ids of the users who have days in the release, in order.

        One part of the days is read after the other: together their ids may not fit into memory.
        """
        from fitness_assets.storage import parquet_file

        found: set[str] = set()
        for file in self._parts("user_days"):
            rows = parquet_file.read(self._read(file), f"{self.month} {file}", ["user_id"])
            found.update(rows["user_id"].dropna().unique())
        return sorted(found)

    def table_bytes(self, names: Sequence[str]) -> int:
        """Size of the files of the tables `names`: the bytes read from disk for them."""
        files = [file for name in names for file in self._parts(name)]
        return sum(self.manifest.file(file).bytes for file in files)

    def _parts(self, name: str) -> list[str]:
        """The files of the table `name`, one for each bucket of users."""
        return files_of(name, (file.name for file in self.manifest.files))

    def _read(self, name: str) -> bytes:
        try:
            return read_bytes(self.folder, self.manifest.file(name))
        except FileNotFoundError as error:
            raise StorageError(f"{self.folder} has no {name}, which its manifest lists") from error
