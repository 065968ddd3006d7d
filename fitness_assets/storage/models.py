"""Trained models on disk, with their metrics and tables.

A model is a skops file, never a pickle. It may hold only the types that `model_file` declares, so
that loading a file cannot run code that the file brings.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets import months
from fitness_assets.errors import StorageError
from fitness_assets.storage import documents, model_file
from fitness_assets.storage.locations import Location, folder_names
from fitness_assets.storage.publication import Manifest, read_bytes, read_manifest
from fitness_assets.storage.writer import Writer

# skops and scikit-learn take seconds to import, and most processes do not need them.
if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Version of stored models. Increase it when a stored model names other modules or parameters, or
#: when its metrics or tables change; months of another format are rematerialized, not upgraded.
#: Format 1, of fitness_assets 0.1, was not recorded in the manifest. Models of format 2 have no
#: linear part, no derived inputs and no calibrated probabilities; the metrics of format 3 have no
#: slices by sex, age and device; format 4 has no personal models and kinds of days of few users.
FORMAT = 5

MODEL = "model.skops"
METRICS = "metrics.json"
# Characters of the reason in the message about a model that is refused.
_MAX_REASON = 300
# The earliest timestamp of the zip format, fixed so that equal models give equal bytes.
_TIMESTAMP = (1980, 1, 1, 0, 0, 0)


def dump(model: "Pipeline") -> bytes:
    """`model` as a compressed skops file. Equal models give equal bytes."""
    import skops.io

    plain = skops.io.dumps(model)
    names: dict[str, str] = {}

    def numbered(match: re.Match[str]) -> str:
        return match[1] + names.setdefault(match[2], str(len(names))) + match[3]

    packed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(plain)) as source, zipfile.ZipFile(packed, "w") as target:
        # skops names objects by their memory address. Number them in order of appearance instead.
        schema = source.read("schema.json").decode()
        schema = re.sub(r'("__id__": )(\d+)()', numbered, schema)
        schema = re.sub(r'("file": ")([^".]+)(\.\w+")', numbered, schema)
        members = {name: source.read(name) for name in source.namelist() if name != "schema.json"}
        content = {"schema.json": schema.encode()}
        for name, data in members.items():
            stem, dot, suffix = name.partition(".")
            content[names[stem] + dot + suffix] = data
        for name in sorted(content):
            target.writestr(
                zipfile.ZipInfo(name, _TIMESTAMP),
                content[name],
                compress_type=zipfile.ZIP_DEFLATED,
                compresslevel=9,
            )
    return packed.getvalue()


def load(content: bytes, name: str) -> "Pipeline":
    """The model in `content`.

    Raises
    ------
    StorageError
        If `content` is not a skops file, exceeds a limit of `model_file`, or holds a type that is
        not declared there. No object is created in these cases.
    """
    checked = verify(content, name)
    import skops.io
    from sklearn.pipeline import Pipeline

    try:
        model = skops.io.loads(checked.to_skops(), trusted=model_file.TRUSTED)
        _make_safe(model)
    except Exception as error:  # a hostile file can make skops raise anything
        raise _refusal(name, error) from error
    if not isinstance(model, Pipeline):
        raise StorageError(f"{name} holds {type(model).__name__}, not a Pipeline")
    return model


def verify(content: bytes, name: str) -> model_file.CheckedModel:
    """Check the file of a model without loading it.

    Importing skops and scikit-learn takes as long as everything else before a dashboard's first
    page. Packed forests are not decoded here; they check their bytes when they are loaded.

    Raises
    ------
    StorageError
        As `load`.
    """
    try:
        return model_file.check(content)
    except Exception as error:  # damaged bytes can make zipfile and numpy raise anything
        raise _refusal(name, error) from error


def _refusal(name: str, error: Exception) -> StorageError:
    reason = " ".join(str(error).split())[:_MAX_REASON]
    return StorageError(f"{name} is not a model that may be loaded: {reason}")


def _make_safe(part: object) -> None:
    """Check or reset the attributes that compiled code or joblib would use without a check."""
    from sklearn.cluster import KMeans
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    if isinstance(part, Pipeline):
        for _, step in part.steps:
            _make_safe(step)
    elif isinstance(part, ColumnTransformer):
        # Otherwise joblib would start that many processes.
        part.n_jobs = None
        for _, step, _ in [*part.transformers, *getattr(part, "transformers_", [])]:
            _make_safe(step)
    elif isinstance(part, KMeans):
        # scikit-learn multiplies rows with the centers without a comparison of their widths, in
        # as many threads as the machine had that trained the model.
        centers = part.cluster_centers_
        if centers.shape != (part.n_clusters, part.n_features_in_) or centers.dtype != np.float64:
            raise ValueError("its KMeans has cluster centers of another shape")
        part.cluster_centers_ = np.ascontiguousarray(centers)
        part._n_threads = 1  # noqa: SLF001 - has no public name


def array_bytes(model: Any) -> int:
    """Bytes of the arrays that `model` and its parts hold in memory."""
    from sklearn.base import BaseEstimator

    if isinstance(model, np.ndarray):
        # An array of objects counts its references only; there are few such strings.
        return model.nbytes
    if isinstance(model, dict):
        return sum(map(array_bytes, model.values()))
    if isinstance(model, list | tuple):
        return sum(map(array_bytes, model))
    if isinstance(model, BaseEstimator):
        return array_bytes(vars(model))
    return 0


class Report(Protocol):
    """The measurements that are stored with a model."""

    def headline(self) -> msgspec.Struct:
        """The part that is stored in the manifest."""
        ...


R = TypeVar("R", bound=Report)
H = TypeVar("H", bound=msgspec.Struct)


class ModelStore(Generic[R]):
    """The months of one model: for each month its skops file, its report and its tables.

    Months that were stored in another `FORMAT` count as missing; reading one raises an error that
    names the command to run.

    Parameters
    ----------
    root : Path or ObjectPath
        The model's folder.
    report_type : type
        Structure of its reports.
    """

    def __init__(self, root: Location, report_type: type[R]) -> None:
        self.root = root
        self._report_type = report_type

    def folder(self, month: str) -> Location:
        """The folder of `month`."""
        return self.root / month

    def months(self) -> list[str]:
        """The months that have a folder, in order."""
        return list(filter(months.is_key, folder_names(self.root)))

    def manifest(self, month: str) -> Manifest | None:
        """The manifest of `month`, or None if it is missing or of another format."""
        manifest = read_manifest(self.folder(month))
        return manifest if manifest and _format_of(manifest) == FORMAT else None

    def is_outdated(self, month: str) -> bool:
        """Whether `month` was stored by an older version of the platform."""
        manifest = read_manifest(self.folder(month))
        return manifest is not None and _format_of(manifest) < FORMAT

    def save(
        self,
        month: str,
        model: bytes | None,
        report: R,
        tables: Mapping[str, pd.DataFrame | pa.Table | bytes] | None = None,
        inputs: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Publish `month`: the result of `dump`, or None without a model, the report, the tables.

        A table may also be a Parquet file, as `encode_parts` returns.

        The manifest's info is the headline of the report, and the `FORMAT`; its inputs are the data
        versions of what the model was made from.
        """
        with Writer(self.folder(month)) as writer:
            if model is not None:
                (writer.staging / MODEL).write_bytes(model)
            (writer.staging / METRICS).write_bytes(documents.encode(report))
            for name, table in (tables or {}).items():
                path = writer.staging / f"{name}.parquet"
                if isinstance(table, bytes):
                    path.write_bytes(table)
                else:
                    write_table(path, table)
            headline = documents.plain(report.headline())
            return writer.publish({"format": FORMAT, **headline}, inputs)

    def published(self, month: str) -> Manifest:
        """The manifest of `month`.

        Raises
        ------
        StorageError
            If the month is missing or of another format; the message names the command to run.
        """
        manifest = read_manifest(self.folder(month))
        if manifest is None:
            raise StorageError(f"{self.root.name} has no {month}; run `fitness backfill {month}`")
        if (found := _format_of(manifest)) != FORMAT:
            version = "an older" if found < FORMAT else "a newer"
            raise StorageError(
                f"{self.root.name} of {month} was stored by {version} version of fitness_assets; "
                f"run `fitness backfill {month}`"
            )
        return manifest

    def read(self, month: str, name: str) -> bytes | None:
        """The content of file `name` of `month`, verified; None if the month has no such file."""
        for file in self.published(month).files:
            if file.name == name:
                return read_bytes(self.folder(month), file)
        return None

    def table(self, month: str, name: str) -> pd.DataFrame | None:
        """Table `name` of `month`, verified; None if the month has no such table."""
        table = self.arrow_table(month, name)
        return None if table is None else table.to_pandas()

    def arrow_table(self, month: str, name: str) -> pa.Table | None:
        """As `table`, without a conversion to pandas."""
        content = self.read(month, f"{name}.parquet")
        return None if content is None else pq.read_table(io.BytesIO(content))

    def parts(self, month: str, name: str) -> Iterator[pa.Table]:
        """The parts of table `name` of `month`, verified; none if the month has no such table.

        The parts of a table that was stored as a whole are its row groups.
        """
        content = self.read(month, f"{name}.parquet")
        if content is not None:
            with pq.ParquetFile(io.BytesIO(content)) as file:
                for number in range(file.num_row_groups):
                    yield file.read_row_group(number)

    def headline(self, month: str, kind: type[H]) -> H | None:
        """The headline of the report of `month`, of this type; None if the month is missing."""
        manifest = self.manifest(month)
        if manifest is None:
            return None
        return documents.convert(
            manifest.info, kind, f"the manifest of {self.root.name} of {month}"
        )

    def report(self, month: str) -> R:
        """The report of `month`."""
        file = self.published(month).file(METRICS)
        content = read_bytes(self.folder(month), file)
        return documents.decode(
            content, self._report_type, f"the metrics of {self.root.name} of {month}"
        )


def _format_of(manifest: Manifest) -> int:
    found = manifest.info.get("format", 1)
    return found if isinstance(found, int) else 1


def encode_parts(parts: Iterable[pa.Table], schema: pa.Schema) -> bytes:
    """A Parquet file in which each of `parts` is a row group."""
    content = io.BytesIO()
    schema = schema.remove_metadata()
    with pq.ParquetWriter(content, schema, compression="zstd") as file:
        for table in parts:
            plain = table.replace_schema_metadata(None).cast(schema)
            file.write_table(plain, row_group_size=max(len(plain), 1))
    return content.getvalue()


def write_table(path: Path, table: pd.DataFrame | pa.Table) -> None:
    """Write `table` as Parquet, without the metadata of pandas."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd")
