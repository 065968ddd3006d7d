"""Stage 3: the models of a month, trained on its trailing window; an asset a `ModelSpec`."""

from collections.abc import Iterator, Sequence
from functools import partial

import dagster as dg
import pandas as pd
import pyarrow as pa

from fitness_assets.assets import model_figures
from fitness_assets.assets.presentation import OWNERS, column_lineage, result
from fitness_assets.errors import NotLearnedError
from fitness_assets.memory import collect_and_trim
from fitness_assets.models import gates
from fitness_assets.models.cards import card
from fitness_assets.models.datasets import MAX_ROWS
from fitness_assets.models.explanations import verdict
from fitness_assets.models.registry import ModelSpec
from fitness_assets.models.reports import ModelHeadline, ModelReport, Scope
from fitness_assets.months import start, trailing
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.lineage import TRAILING_WINDOW
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record.buckets import EVERYONE, Bucket
from fitness_assets.storage.models import array_bytes, dump
from fitness_assets.workspace import Workspace

_SEGMENTS = "segment_model"

Outputs = Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]


def build(
    spec: ModelSpec, months: dg.PartitionsDefinition[str], disk: int, memory: int
) -> dg.AssetsDefinition:
    """The asset of a model over `months`.

    Parameters
    ----------
    spec : ModelSpec
    months : PartitionsDefinition
    disk, memory : int
        Its budgets in bytes.
    """

    @dg.asset(
        name=spec.name,
        description=spec.description,
        partitions_def=months,
        deps=dependencies(spec.name),
        check_specs=checks.model_specs(spec, months),
        group_name="models",
        kinds={"scikitlearn", spec.kind},
        owners=OWNERS,
    )
    def model(context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]) -> Outputs:
        yield from _materialize(context, workspace, spec, disk, memory)

    return model


def window_of(workspace: Workspace, month: str) -> list[str]:
    """The months of the trailing window of `month` that the lake has."""
    return [m for m in trailing(month, TRAILING_WINDOW) if workspace.daily.manifest(m)]


def whole_months(workspace: Workspace, months: Sequence[str]) -> list[str]:
    """Those of `months`, which the lake has, that are not partial."""
    return [m for m in months if workspace.daily.info(m).last_day_so_far is None]


def sample_of(workspace: Workspace, months: Sequence[str]) -> Bucket:
    """The users whose days in `months` models are trained and evaluated on."""
    return workspace.daily.sample(months, MAX_ROWS)


def days_of(
    workspace: Workspace, months: Sequence[str], columns: Sequence[str], users: Bucket
) -> tuple[pd.DataFrame, int]:
    """Columns of the days of `users` in `months`, and the bytes read for them."""
    scan = workspace.daily.scan(months, columns, users)
    return _for_training(scan.table), scan.bytes_read


def _for_training(table: pa.Table) -> pd.DataFrame:
    """`table` as training takes it. It cannot be read any more."""
    # Each column of the table is freed once it is converted: a window of months is large.
    days: pd.DataFrame = table.to_pandas(
        date_as_object=False, self_destruct=True, split_blocks=True
    )
    del table
    days["date"] = days["date"].astype("datetime64[ns]")
    pa.default_memory_pool().release_unused()
    return days


def segment_names(workspace: Workspace, month: str) -> dict[str, str]:
    """The name of the segment of each user; empty if there are no stable segments."""
    store = workspace.models[_SEGMENTS]
    table = store.table(month, "segments") if store.manifest(month) else None
    if table is None:
        return {}
    named = table.dropna(subset="segment_name")
    return dict(zip(named["user_id"], named["segment_name"], strict=True))


def _materialize(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    spec: ModelSpec,
    disk: int,
    memory: int,
) -> Outputs:
    """Train on the months of the window that the lake has; check, store and report the model.

    Partial months are left out: a model must not learn the first days of a month as if they were
    all, nor an unfinished day as if it were a calm one. In a partial month the model is that of the
    whole months before it. Of a model that fails a gate only the report is stored.
    """
    month = context.partition_key
    inputs = input_versions(workspace, spec.name, month)
    store = workspace.models[spec.name]
    window = whole_months(workspace, window_of(workspace, month))
    bytes_read, users = 0, sample_of(workspace, window)
    learned_from = {m: workspace.daily.published(m).data_version for m in window}
    content: bytes | None = None
    tables: dict[str, pd.DataFrame] = {}
    scope: Scope = "cohort"
    try:
        days, bytes_read = _read(workspace, spec, month, window, users)
        personal = spec.personal_implementation()
        if personal and personal.applies(days):
            scope = "personal"
            trained = personal.train_month(days)
        else:
            last = pd.Timestamp(start(window[-1]))
            people = workspace.privacy.smallest_cell
            # What earlier steps have freed would add to what training needs.
            collect_and_trim()
            everyone = partial(_everyone, workspace, spec, window) if users != EVERYONE else None
            trained = spec.implementation().train_month(days, last, disk, people, everyone)
    except NotLearnedError as error:
        context.log.warning(f"not trained: {error}")
        report = ModelReport(
            window=window,
            learned_from=learned_from,
            released=False,
            reason=str(error),
            gates=gates.not_learned(spec, str(error)),
            real_people=workspace.privacy.real,
            scope=scope,
            one_user_in=users.count,
        )
    else:
        content = dump(trained.model) if trained.model is not None else None
        tables = trained.tables
        headline = ModelHeadline(
            learned=True,
            released=True,
            bytes=len(content or b""),
            memory_bytes=array_bytes(trained.model),
            scores=trained.metrics.summary(),
            scope=scope,
        )
        results = gates.run_gates(spec, headline, disk, memory)
        failed = [gates.failure(gate) for gate in results if not gate.passed]
        report = ModelReport(
            window=window,
            learned_from=learned_from,
            released=not failed,
            reason="; ".join(failed) or None,
            bytes=headline.bytes,
            memory_bytes=headline.memory_bytes,
            gates=results,
            metrics=trained.metrics,
            real_people=workspace.privacy.real,
            scope=scope,
            one_user_in=users.count,
        )
        if failed:
            content = None
            context.log.warning(f"not released: {report.reason}")
    manifest = store.save(month, content, report, tables, inputs)
    yield from checks.report(report.gates)
    yield result(
        manifest,
        **_metadata(report),
        model_card=dg.MetadataValue.md(card(spec, month, report)),
        **_lineage(spec),
        bytes_read=bytes_read,
        path=dg.MetadataValue.path(str(store.folder(month))),
    )


def _everyone(
    workspace: Workspace, spec: ModelSpec, window: Sequence[str]
) -> Iterator[pd.DataFrame]:
    """The days of all users of `window`, one bucket of users after the other."""
    for table in workspace.daily.scan_buckets(window, spec.implementation().COLUMNS):
        yield _for_training(table)


def _read(
    workspace: Workspace, spec: ModelSpec, month: str, window: Sequence[str], users: Bucket
) -> tuple[pd.DataFrame, int]:
    """The days of `users` in the whole months `window`, and the bytes read for them."""
    if not window:
        raise NotLearnedError(f"there is no whole month until {month}")
    implementation = spec.implementation()
    days, bytes_read = days_of(workspace, window, implementation.COLUMNS, users)
    if _SEGMENTS in spec.dependencies:
        # Forests are also evaluated by segment.
        days["segment"] = days["user_id"].map(segment_names(workspace, month))
    return days, bytes_read


def _lineage(spec: ModelSpec) -> dict[str, object]:
    """What the model predicts, as a column, and the columns of the lake that training reads."""
    predicted = spec.target or "segment"
    return {
        "dagster/column_schema": dg.TableSchema(
            [dg.TableColumn(predicted, description="what the model predicts")]
        ),
        "dagster/column_lineage": column_lineage(
            "daily_activity", {predicted: spec.implementation().COLUMNS}
        ),
    }


def _metadata(report: ModelReport) -> dict[str, object]:
    headline = report.headline()
    sizes = {"bytes": headline.bytes, "memory_bytes": headline.memory_bytes}
    return {
        "verdict": verdict(report),
        "personal": headline.scope == "personal",
        "learned": headline.learned,
        "released": headline.released,
        **({"reason": headline.reason} if headline.reason else {}),
        **{name: size for name, size in sizes.items() if size is not None},
        **headline.scores,
        **(model_figures.metadata(report.metrics) if report.metrics else {}),
        "window": ", ".join(report.window),
        **({"one_user_in": report.one_user_in} if report.one_user_in > 1 else {}),
    }
