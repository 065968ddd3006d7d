"""Read all of a release once, within limits, before it replaces another.

A file may match its hash and still be of no use: a table without its columns, metrics without
their fields, or a file that takes all memory when it is decoded.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fitness_assets import months
from fitness_assets.errors import PackedForestError, ReleaseError, StorageError
from fitness_assets.formatting import number
from fitness_assets.history.schema import FINDINGS, SUMMARIES
from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.forest_metrics import RegressorMetrics
from fitness_assets.models.registry import BY_NAME, MODELS
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.raw import OPTIONAL_MEASUREMENTS, SLEEP_SPAN, TRAITS
from fitness_assets.release import personal
from fitness_assets.release.bundle import METRICS, ReleaseReport, read_report
from fitness_assets.release.model_loader import predict_one
from fitness_assets.release.parts import files_of, table_of
from fitness_assets.release.people import PEOPLE_TABLES, TABLES_IN_PARTS
from fitness_assets.release.personal import PERSONAL
from fitness_assets.release.tables import HISTORY, NUMBERS, WORKOUTS
from fitness_assets.storage import models, parquet_file

if TYPE_CHECKING:
    import pyarrow as pa

#: Columns of each table that readers use, by kind. A column without any value has no type.
_NUMBER, _TEXT, _DATE, _FLAG = "number", "text", "date", "flag"


def _kind(kind: "pa.DataType") -> str | None:
    from pyarrow import types

    if types.is_null(kind):
        return None
    if types.is_boolean(kind):
        return _FLAG
    if types.is_date(kind):
        return _DATE
    if types.is_integer(kind) or types.is_floating(kind):
        return _NUMBER
    return _TEXT


def _columns(schema: "pa.Schema") -> dict[str, str]:
    """The columns of a table of `person_history` by kind."""
    return {field.name: _kind(field.type) or _TEXT for field in schema}


_NUMBERS = dict.fromkeys(NUMBERS, _NUMBER)
_COUNTS = {"records": _NUMBER, "worn": _NUMBER}
_TABLES: dict[str, dict[str, str]] = {
    "days": {"date": _DATE, **_COUNTS, **_NUMBERS},
    "weekdays": {"day_of_week": _NUMBER, **_COUNTS, **_NUMBERS},
    "activities": {"activity_type": _TEXT, "days": _NUMBER, "users": _NUMBER, **_NUMBERS},
    "spreads": {
        "activity_type": _TEXT,
        "number": _TEXT,
        **dict.fromkeys(("p5", "p25", "p50", "p75", "p95"), _NUMBER),
    },
    "histograms": {
        "number": _TEXT,
        **dict.fromkeys(("low", "high", "days"), _NUMBER),
    },
    "correlations": {"x": _TEXT, "y": _TEXT, "r": _NUMBER},
    "trends": {
        **dict.fromkeys(("x", "y"), _TEXT),
        **dict.fromkeys(("at", "median", "days"), _NUMBER),
    },
    "quality": {
        "number": _TEXT,
        **dict.fromkeys(("known", "out_of_range", "not_worn", "missing", "outliers"), _NUMBER),
        **dict.fromkeys(("allowed_low", "allowed_high"), _NUMBER),
        **dict.fromkeys(("minimum", "q1", "median", "q3", "maximum"), _NUMBER),
    },
}
#: Tables that a release may lack: those with rows of people or in place of them, and of segments.
_OPTIONAL_TABLES: dict[str, dict[str, str]] = {
    "sample": {"activity_type": _TEXT, **_NUMBERS},
    "pairs": {
        **dict.fromkeys(("x", "y"), _TEXT),
        **dict.fromkeys(("x_low", "x_high", "y_low", "y_high", "days"), _NUMBER),
    },
    "user_days": {
        "user_id": _TEXT,
        "date": _DATE,
        "worn": _FLAG,
        "activity_type": _TEXT,
        **_NUMBERS,
        **{name: _TEXT if name == "sex" else _NUMBER for name in TRAITS},
        **dict.fromkeys(HISTORY, _NUMBER),
    },
    "segments": {"user_id": _TEXT, "segment": _NUMBER, "segment_name": _TEXT},
    "user_map": {
        **dict.fromkeys(("user_id", "segment_name", "before"), _TEXT),
        **dict.fromkeys(("x", "y", "segment"), _NUMBER),
    },
    "movement": {"before": _TEXT, "segment": _TEXT, "users": _NUMBER},
    "summaries": _columns(SUMMARIES),
    "findings": _columns(FINDINGS),
    "workouts": _columns(WORKOUTS),
}
#: Columns that a table may lack.
_OPTIONAL_COLUMNS = {
    "user_days": dict.fromkeys((*OPTIONAL_MEASUREMENTS, *SLEEP_SPAN), _NUMBER),
}
#: Tables with rows by user, of which views read one user or draw a sample.
_BY_USER = {"user_days", "segments", "user_map", "summaries", "workouts"}
#: Limits on each other table, which views draw as a whole. The largest, `pairs`, has up to 8,000
#: rows and 200 kB of texts.
_MAX_ROWS, _MAX_TEXT_BYTES = 20_000, 2_000_000


def check_release(files: Mapping[str, bytes], month: str, *, load_models: bool) -> None:
    """Read the metrics, every table and every model of a release once.

    Parameters
    ----------
    files : mapping
        Content by file name.
    month : str
    load_models : bool
        Load each model and predict one row with it. Otherwise only its parts and its forests are
        checked, which needs neither skops nor scikit-learn.

    Raises
    ------
    StorageError or ReleaseError
        If a file is missing, cannot be read, or exceeds a limit.
    """
    if METRICS not in files:
        raise ReleaseError(f"the release of {month} has no {METRICS}")
    report = read_report(files[METRICS], month)
    for name in _TABLES:
        if f"{name}.parquet" not in files:
            raise ReleaseError(f"the release of {month} has no {name}.parquet")
    if not files.keys() & {"sample.parquet", "pairs.parquet"}:
        raise ReleaseError(f"the release of {month} has neither sample.parquet nor pairs.parquet")
    _check_tables(files, month)
    _check_models(files, month, report, load=load_models)
    _check_personal(files, month, load=load_models)


def check_people(files: Mapping[str, bytes], month: str, *, load_models: bool = True) -> None:
    """Read every table and every personal model of a private bundle of rows of people once.

    Parameters and errors are those of `check_release`.
    """
    unknown = {file for file in files if table_of(file) not in PEOPLE_TABLES}
    if unknown := {name for name in unknown if not personal.is_personal(name)}:
        raise ReleaseError(f"the bundle of people of {month} has {min(unknown)}")
    _check_tables(files, month)
    _check_personal(files, month, load=load_models)


def _check_personal(files: Mapping[str, bytes], month: str, *, load: bool) -> None:
    """Check the personal models: each file has a report on a released regressor, and conversely."""
    reports = personal.read(files[PERSONAL], month).models if PERSONAL in files else {}
    expected = set()
    for name, report in reports.items():
        spec = BY_NAME.get(name)
        kind = DayKindMetrics if spec and spec.metrics is SegmentMetrics else RegressorMetrics
        known = report.metrics is None or isinstance(report.metrics, kind)
        if spec is None or not spec.personal or not known:
            raise ReleaseError(f"the {PERSONAL} of {month} has another report on {name!r}")
        if report.released and isinstance(report.metrics, RegressorMetrics):
            expected.add(personal.model_file(name))
    found = {name for name in files if personal.is_personal(name)} - {PERSONAL}
    if found != expected:
        raise ReleaseError(f"the personal models and the {PERSONAL} of {month} do not agree")
    for name, report in reports.items():
        if (file := personal.model_file(name)) not in expected:
            continue
        if models.verify(files[file], f"{month} {file}").forests:
            raise StorageError(f"{month} {file} is not a model that may be loaded: it has a forest")
        if load:
            _check_prediction(files[file], f"{month} {file}", report.metrics)


def _check_tables(files: Mapping[str, bytes], month: str) -> None:
    known = _TABLES | _OPTIONAL_TABLES
    for name in {table_of(file) for file in files} - {None}:
        if len(files_of(str(name), files)) > 1 and name not in TABLES_IN_PARTS:
            raise ReleaseError(f"the release of {month} has the table {name} in parts")
    for file, content in files.items():
        name = table_of(file)
        if name is None:
            continue
        schema, rows, text_bytes = parquet_file.check(content, f"{month} {file}")
        if name not in _BY_USER and (rows > _MAX_ROWS or text_bytes > _MAX_TEXT_BYTES):
            raise ReleaseError(
                f"{month} {file} has {number(rows)} rows and {number(text_bytes)} bytes of text; "
                f"the limits are {number(_MAX_ROWS)} and {number(_MAX_TEXT_BYTES)}"
            )
        kinds = {field.name: _kind(field.type) for field in schema}
        for column, kind in known.get(name, {}).items():
            # The columns of a table without rows are of any type.
            if column not in kinds or (rows and kinds[column] not in (kind, None)):
                raise ReleaseError(f"{month} {file} has no column {column} of the kind {kind}")
        for column, kind in _OPTIONAL_COLUMNS.get(name, {}).items():
            if rows and kinds.get(column) not in (kind, None):
                raise ReleaseError(f"{month} {file} has a column {column} not of the kind {kind}")


def _check_models(
    files: Mapping[str, bytes], month: str, report: ReleaseReport, *, load: bool
) -> None:
    names = {spec.name for spec in MODELS}
    if set(report.models) != names:
        raise ReleaseError(f"the {METRICS} of {month} do not describe {', '.join(sorted(names))}")
    for name, entry in report.models.items():
        reports = [entry.report, *([entry.fallback.report] if entry.fallback else [])]
        named = [*([entry.fallback.month] if entry.fallback else [])]
        for each in reports:
            named += [*each.window, *each.learned_from]
        if wrong := [text for text in named if not months.is_month(text)]:
            raise ReleaseError(f"the {METRICS} of {month} name {wrong[0]!r} as a month of {name}")
    for spec in MODELS:
        file, carried = f"{spec.name}.skops", report.models[spec.name].carried
        if (carried is None) == (file in files):
            raise ReleaseError(f"{file} and the {METRICS} of {month} do not agree")
        if carried is None:
            continue
        if not isinstance(carried.metrics, spec.metrics):
            raise ReleaseError(f"the {METRICS} of {month} lack those of the {spec.name}")
        _check_model(files[file], f"{month} {file}")
        if load:
            _check_prediction(files[file], f"{month} {file}", carried.metrics)


def _check_prediction(content: bytes, name: str, metrics: object) -> None:
    """Load a model, and predict one row with it."""
    model = models.load(content, name)
    try:
        predict_one(model, metrics)
    except Exception as error:  # attributes of any value may be missing or wrong
        reason = " ".join(str(error).split())
        raise StorageError(f"{name} cannot predict: {reason}") from error


def _check_model(content: bytes, name: str) -> None:
    """Check the parts of a model, and decode its forests."""
    from fitness_assets.models.forests.packed.format import decode
    from fitness_assets.models.forests.packed.routing import FlatTrees

    try:
        for forest in models.verify(content, name).forests:
            FlatTrees.of(decode(forest))
    except PackedForestError as error:
        raise StorageError(f"{name} is not a model that may be loaded: {error}") from error
