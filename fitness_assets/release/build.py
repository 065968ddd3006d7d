"""Assemble a release from the data and the models of a month. Nothing is read or stored here."""

import io
import json
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial, reduce
from importlib.metadata import version
from operator import add
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.reports import BacktestReport, CompressionReport
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.buckets import count_of, indices
from fitness_assets.record.raw import RANGES
from fitness_assets.release import personal, protected_reports, protected_tables, tables
from fitness_assets.release.bundle import (
    METRICS,
    DataReport,
    Projection,
    ReleasedModel,
    ReleaseInfo,
    ReleaseReport,
)
from fitness_assets.release.parts import part_file
from fitness_assets.release.people import TABLES_IN_PARTS, Privacy
from fitness_assets.release.personal import PERSONAL, PersonalReport
from fitness_assets.release.totals import Totals
from fitness_assets.storage import documents

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

_LIBRARIES = ("numpy", "pandas", "pyarrow", "scikit-learn", "skops")
# Rows per row group of `user_days` and of the tables of `person_history`. Reading one user decodes
# at least one row group.
_ROW_GROUP = 4_096
# Rows of `user_days` in a file. A reader refuses files of too many values (`parquet_file`), and a
# view of one user verifies and decodes one file.
_ROWS_PER_FILE = 100_000


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model of the month, or its fallback.

    Attributes
    ----------
    entry : ReleasedModel
        The reports.
    content : bytes or None
        The skops file of the model that the release carries; None if it carries none.
    personal : bytes or None
        The skops file of the personal model of the month, if it was released.
    """

    entry: ReleasedModel
    content: bytes | None
    personal: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Segments:
    """The segments of the month.

    Attributes
    ----------
    model : Pipeline
    metrics : SegmentMetrics
    table : DataFrame
        One row a user: ``user_id``, ``segment``, ``segment_name``, and the profile.
    content : bytes
        The same as a Parquet file.
    previous_names : dict
        Name of each user's segment in the previous month, by user id.
    """

    model: "Pipeline"
    metrics: SegmentMetrics
    table: pd.DataFrame
    content: bytes
    previous_names: dict[str, str]


#: Reads the parts of a table, which together have all users.
Parts = Callable[[], Iterable[pa.Table]]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a release is assembled from.

    Attributes
    ----------
    month : str
    days : DataFrame
        `tables.COLUMNS` of the month's `daily_activity`, of all users or of a sample of them, for
        tables of distributions.
    everyone : callable or None
        If `days` are a sample, reads the same of all users, one bucket of users after the other.
    one_user_in : int
        `days` are of one in so many users.
    rows : int
        Of all users; they decide the number of parts of tables with rows by user.
    data : DataReport
    upstream : dict
        Data version of each upstream asset, by asset name.
    models : dict of str to Model
        By model name.
    segments : Segments or None
        None if the month has no segment model of its own.
    backtest : BacktestReport or None
    compression : CompressionReport or None
    privacy : Privacy
    tables_by_user : dict of str to callable
        By name, what reads the tables of the month's `person_history`, and its workouts if there
        are any.
    ordered : bool
        Whether each part that is read has users of later buckets than those before it.
    partial_until : date or None
        The last day so far if the month had not ended.
    """

    month: str
    days: pd.DataFrame
    data: DataReport
    upstream: dict[str, str]
    models: dict[str, Model]
    segments: Segments | None
    backtest: BacktestReport | None
    compression: CompressionReport | None
    privacy: Privacy
    everyone: Callable[[], Iterable[pd.DataFrame]] | None = None
    one_user_in: int = 1
    rows: int = 0
    tables_by_user: dict[str, Parts] = field(default_factory=dict)
    ordered: bool = True
    partial_until: date | None = None


def with_release_ids(inputs: Inputs, release_id: Callable[[str], str]) -> Inputs:
    """`inputs` with other user ids, and rows in the order of these.

    Parameters
    ----------
    inputs : Inputs
    release_id : callable
        The id of a user in this release.
    """

    def renamed(days: pd.DataFrame) -> pd.DataFrame:
        ids = {user: release_id(user) for user in days["user_id"].unique()}
        return days.assign(user_id=days["user_id"].map(ids))

    everyone, segments = inputs.everyone, inputs.segments
    if segments is not None:
        table = segments.table.assign(user_id=segments.table["user_id"].map(release_id))
        table = table.sort_values("user_id", ignore_index=True)
        before = {release_id(user): name for user, name in segments.previous_names.items()}
        segments = replace(
            segments,
            table=table,
            content=_parquet(table),
            previous_names=dict(sorted(before.items())),
        )
    return replace(
        inputs,
        models={name: _with_ids(model, release_id) for name, model in inputs.models.items()},
        days=renamed(inputs.days),
        everyone=everyone and (lambda: map(renamed, everyone())),
        segments=segments,
        tables_by_user={
            name: partial(_renamed_parts, parts, release_id)
            for name, parts in inputs.tables_by_user.items()
        },
        ordered=False,
    )


def _renamed_parts(parts: Parts, release_id: Callable[[str], str]) -> Iterator[pa.Table]:
    return (_renamed(table, release_id) for table in parts())


def _with_ids(model: Model, release_id: Callable[[str], str]) -> Model:
    """`model` with other user ids in the report on kinds of days, in the order of these."""
    report = model.entry.report
    if not isinstance(report.metrics, DayKindMetrics):
        return model
    users = [
        msgspec.structs.replace(found, user=release_id(found.user))
        for found in report.metrics.users
    ]
    metrics = DayKindMetrics(users=sorted(users, key=lambda found: found.user))
    entry = msgspec.structs.replace(
        model.entry, report=msgspec.structs.replace(report, metrics=metrics)
    )
    return replace(model, entry=entry)


def _renamed(table: pa.Table, release_id: Callable[[str], str]) -> pa.Table:
    """`table` with other user ids, and rows in the order of these."""
    ids = table["user_id"].combine_chunks().dictionary_encode()
    names = pa.array([release_id(user) for user in ids.dictionary.to_pylist()], pa.string())
    users = names.take(ids.indices)
    position = table.schema.get_field_index("user_id")
    table = table.set_column(position, table.schema.field(position), users)
    order = np.argsort(users.to_numpy(zero_copy_only=False), kind="stable")
    return table.take(pa.array(order))


def assemble(inputs: Inputs) -> tuple[dict[str, bytes], ReleaseInfo]:
    """The files of a release by name, and the information in its manifest.

    The files of `people.PEOPLE_TABLES` have rows of people. Unless these are public, the others
    show nothing of fewer people than the smallest cell.
    """
    files = {
        f"{name}.skops": model.content
        for name, model in inputs.models.items()
        if model.content is not None
    }
    privacy, people = inputs.privacy, inputs.privacy.smallest_cell
    files |= _personal_files(inputs.models)
    entries = {name: _public_entry(model.entry) for name, model in inputs.models.items()}
    data, backtest, compression = inputs.data, inputs.backtest, inputs.compression
    totals, user_days = _of_everyone(inputs)
    files |= user_days
    files["sample.parquet"] = _parquet(tables.sample(inputs.days))
    if privacy.protects:
        protected = protected_tables.data_tables(inputs.days, totals, RANGES, people)
        files |= {f"{name}.parquet": _parquet(table) for name, table in protected.items()}
        summary = protected_tables.summary(totals.users, protected, people)
        entries = {
            name: protected_reports.released_model(entry, people) for name, entry in entries.items()
        }
        data = protected_reports.data_report(data, people)
        backtest = backtest and protected_reports.backtest_report(backtest, people)
        compression = compression and protected_reports.compression_report(compression, people)
    else:
        files |= _data_tables(inputs.days, totals)
        summary = tables.summary(totals)
    for name, parts in inputs.tables_by_user.items():
        files |= _files_by_user(name, parts(), inputs)
    projection: Projection | None = None
    renamed: dict[str, str] = {}
    if inputs.segments:
        segment_files, projection, renamed = _segment_tables(inputs.segments, inputs)
        files |= segment_files
    report = ReleaseReport(
        models=entries,
        data=data,
        backtest=backtest,
        compression=compression,
        projection=projection,
        renamed_segments=renamed,
    )
    files[METRICS] = json.dumps(
        msgspec.to_builtins(report), sort_keys=True, allow_nan=False
    ).encode()
    info = ReleaseInfo(
        month=inputs.month,
        summary=summary,
        upstream=inputs.upstream,
        learned_from={name: entry.report.learned_from for name, entry in entries.items()},
        checks={check.name: check.passed for check in inputs.data.checks},
        backtest=backtest.headline().scores if backtest else {},
        not_released={
            name: entry.report.reason or ""
            for name, entry in entries.items()
            if not entry.report.released
        },
        fallbacks={name: entry.fallback.month for name, entry in entries.items() if entry.fallback},
        libraries={
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
        partial_until=inputs.partial_until,
        one_user_in=inputs.one_user_in,
    )
    return files, info


def _personal_files(models: Mapping[str, Model]) -> dict[str, bytes]:
    """The reports on the personal models of the month, and their files."""
    reports = {
        name: model.entry.report
        for name, model in models.items()
        if model.entry.report.scope == "personal"
    }
    if not reports:
        return {}
    files = {
        personal.model_file(name): content
        for name in reports
        if (content := models[name].personal) is not None
    }
    return {PERSONAL: documents.encode(PersonalReport(models=reports)), **files}


def _public_entry(entry: ReleasedModel) -> ReleasedModel:
    """The entry for everyone, which has nothing of a personal model."""
    if entry.report.scope != "personal":
        return entry
    return ReleasedModel(report=personal.withheld(entry.report), fallback=entry.fallback)


def _of_everyone(inputs: Inputs) -> tuple[Totals, dict[str, bytes]]:
    """The totals of all users, and the files of `user_days`."""
    totals: list[Totals] = []

    def user_days() -> Iterator[pa.Table]:
        for days in inputs.everyone() if inputs.everyone else [inputs.days]:
            totals.append(Totals.of(days))
            yield pa.Table.from_pandas(tables.user_days(days), preserve_index=False)

    files = _files_by_user("user_days", user_days(), inputs)
    return reduce(add, totals), files


def _data_tables(days: pd.DataFrame, totals: Totals) -> dict[str, bytes]:
    """The tables of the month's days."""
    of_everyone = {
        "days": tables.by_day(totals),
        "weekdays": tables.by_weekday(totals),
        "activities": tables.by_activity(totals),
        "spreads": tables.spreads(days),
        "histograms": tables.histograms(days),
        "correlations": tables.correlations(days),
        "trends": tables.trends(days),
        "quality": tables.quality(days, RANGES),
    }
    return {f"{name}.parquet": _parquet(table) for name, table in of_everyone.items()}


def _parts(name: str, inputs: Inputs) -> int:
    """The number of files of the table `name`."""
    return count_of(inputs.rows, _ROWS_PER_FILE) if name in TABLES_IN_PARTS else 1


def _files_by_user(name: str, parts: Iterable[pa.Table], inputs: Inputs) -> dict[str, bytes]:
    """The files of a table with rows by user, which may be one for each bucket of users.

    If the users of `parts` are in the order of the buckets, only some of them are in memory.
    """
    count = _parts(name, inputs)
    files: dict[str, bytes] = {}
    pending: dict[int, list[pa.Table]] = {index: [] for index in range(count)}
    empty = None

    def write(index: int) -> None:
        own = pending.pop(index)
        table = pa.concat_tables(own or [empty], promote_options="permissive")
        # In the order of several parts, users of one bucket would be together, also under ids that
        # only this release has.
        if count > 1 or len(own) > 1:
            users = table["user_id"].to_numpy()
            table = table.take(pa.array(np.argsort(users.astype(str), kind="stable")))
        files[part_file(name, index, count)] = _parquet(table, _ROW_GROUP)

    for table in parts:
        empty = table.schema.empty_table()
        index = indices(table["user_id"], count)
        found = np.unique(index)
        if inputs.ordered and len(found):
            for before in [each for each in pending if each < found[0]]:
                write(before)
        for each in found:
            own = table if len(found) == 1 else table.filter(pa.array(index == each))
            pending[int(each)].append(own)
    for each in list(pending):
        write(each)
    return files


def _segment_tables(
    segments: Segments, inputs: Inputs
) -> tuple[dict[str, bytes], Projection, dict[str, str]]:
    """The tables of the month's segments, the axes of the map, and the renamed segments."""
    named = segments.table.dropna(subset="segment_name")
    names = dict(zip(named["user_id"], named["segment_name"], strict=True))
    current = tables.current_names(segments.previous_names, names)
    renamed = {
        now: before for before, now in current.items() if now != before and now in names.values()
    }
    users, projection = tables.user_map(
        segments.model,
        segments.table,
        segments.metrics.features,
        {user: current[name] for user, name in segments.previous_names.items()},
    )
    # As it is stored, if it is in one part.
    rows = (
        {"segments.parquet": segments.content}
        if _parts("segments", inputs) == 1
        else _files_by_user(
            "segments", [pa.Table.from_pandas(segments.table, preserve_index=False)], inputs
        )
    )
    privacy = inputs.privacy
    files = {
        **rows,
        **_files_by_user("user_map", [pa.Table.from_pandas(users, preserve_index=False)], inputs),
        "movement.parquet": _parquet(
            protected_tables.movement(users, privacy.smallest_cell)
            if privacy.protects
            else tables.movement(users)
        ),
    }
    return files, projection, renamed


def _parquet(table: pd.DataFrame | pa.Table, row_group: int | None = None) -> bytes:
    buffer = io.BytesIO()
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(table, buffer, compression="zstd", row_group_size=row_group)
    return buffer.getvalue()
