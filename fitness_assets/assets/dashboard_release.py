"""Stage 4: one verified release a month for the dashboard."""

from collections.abc import Iterator, Mapping
from contextlib import nullcontext, suppress
from dataclasses import asdict
from functools import partial

import dagster as dg
import pyarrow as pa

from fitness_assets.assets.daily_activity import judged_data
from fitness_assets.assets.model import segment_names
from fitness_assets.assets.presentation import OWNERS, partial_metadata, result
from fitness_assets.errors import StorageError
from fitness_assets.history.schema import HISTORY_TABLES
from fitness_assets.models import gates
from fitness_assets.models.datasets import MAX_ROWS
from fitness_assets.models.gates import NO_WORSE
from fitness_assets.models.registry import FORESTS, MODEL_NAMES, MODELS, ModelSpec
from fitness_assets.models.reports import ModelHeadline, ModelReport
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.months import shift, trailing
from fitness_assets.orchestration import checks
from fitness_assets.orchestration.lineage import TRAILING_WINDOW
from fitness_assets.orchestration.partitions import dependencies
from fitness_assets.orchestration.state import input_versions
from fitness_assets.record.buckets import EVERYONE
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.raw import OPTIONAL
from fitness_assets.release import build as release_build
from fitness_assets.release import model_loader, people, tables
from fitness_assets.release.acceptance import check_people, check_release
from fitness_assets.release.bundle import DataReport, Fallback, Release, ReleasedModel
from fitness_assets.storage.models import MODEL, ModelStore, load
from fitness_assets.storage.publication import Manifest
from fitness_assets.workspace import REPORTS, Workspace

_SEGMENTS = "segment_model"


def build(
    months: dg.PartitionsDefinition[str], budget: int, min_completeness: float
) -> dg.AssetsDefinition:
    """The `dashboard_release` asset over `months`.

    Parameters
    ----------
    months : PartitionsDefinition
    budget : int
        Memory of the dashboard's host, in bytes.
    min_completeness : float
        Share of the expected user-days below which a month is not complete.
    """

    @dg.asset(
        partitions_def=months,
        deps=dependencies("dashboard_release"),
        check_specs=checks.release_specs(months),
        group_name="release",
        kinds={"python", "parquet"},
        owners=OWNERS,
    )
    def dashboard_release(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[None]]:
        """The release of the month: models, tables, metrics and manifest.

        Before the dashboard is pointed to it, it is read back: each file is compared with its hash,
        and each model with the allow-list. A model that scores worse than that of the month before
        is not released. If the month did not release a model, the last released one of its window
        is the fallback, and the manifest says so. The memory that a small host needs is measured by
        loading the models in a new process.
        """
        month = context.partition_key
        versions = input_versions(workspace, "dashboard_release", month)
        models = {spec.name: _model(spec, workspace.models[spec.name], month) for spec in MODELS}
        has_models = any(model.content is not None for model in models.values())
        # The process imports its libraries while the tables are computed.
        with model_loader.measurement(budget) if has_models else nullcontext() as measure:
            inputs = _inputs(workspace, month, models, min_completeness)
            for name, model in models.items():
                if model.entry.fallback is not None:
                    versions |= _searched_versions(workspace.models[name], month)
            yield from checks.report([_comparison(models)])
            if workspace.privacy.new_ids:
                name = f"{month} {inputs.upstream['daily_activity']}"
                inputs = release_build.with_release_ids(
                    inputs, lambda user: workspace.pseudonyms.release_id(name, user)
                )
            files, info = release_build.assemble(inputs)
            public, private = people.split(files, workspace.privacy.people)
            # What a dashboard would refuse is not published.
            check_release(public, month, load_models=False)
            check_people(private, month, load_models=False)
            if private:
                workspace.people.publish(private, info, versions)
            else:
                workspace.people.remove(month)
            release = workspace.releases.publish(public, info, versions)
            steps = measure(workspace.releases.root, release.month) if measure else []
            stored = sum(name.endswith(".skops") for name in (*public, *private))
        digest = workspace.releases.digest(release.month) or ""
        yield result(release.manifest, **_metadata(release, digest, steps, stored))

    return dashboard_release


def _inputs(
    workspace: Workspace,
    month: str,
    models: dict[str, release_build.Model],
    min_completeness: float,
) -> release_build.Inputs:
    daily, raw = workspace.daily.info(month), workspace.raw.info(month)
    optional = [name for name in OPTIONAL if name in daily.columns]
    columns = [*tables.COLUMNS, *optional]
    users = workspace.daily.sample([month], MAX_ROWS)
    scan = workspace.daily.scan([month], columns, users)
    manifest = workspace.daily.published(month)
    has_backtest = workspace.backtest.manifest(month) is not None
    has_compression = workspace.compression.manifest(month) is not None
    return release_build.Inputs(
        month=month,
        days=scan.table.to_pandas(),
        everyone=(
            None
            if users == EVERYONE
            else lambda: map(pa.Table.to_pandas, workspace.daily.scan_buckets([month], columns))
        ),
        one_user_in=users.count,
        rows=daily.rows,
        data=DataReport(
            delivered=raw.rows,
            unread=raw.unread,
            checks=_check_results(workspace, month, manifest, min_completeness),
            rows=daily.rows,
            bytes=manifest.bytes,
            bytes_read=scan.bytes_read,
            columns=len(daily.columns),
            columns_read=len(columns),
        ),
        upstream={
            name: found.data_version
            for name in ("raw_telemetry", "daily_activity", *MODEL_NAMES, *REPORTS)
            if (found := workspace.manifest(name, month))
        },
        models=models,
        segments=_segments(workspace, month, is_partial=daily.last_day_so_far is not None),
        backtest=workspace.backtest.report(month) if has_backtest else None,
        compression=workspace.compression.report(month) if has_compression else None,
        partial_until=daily.last_day_so_far,
        privacy=workspace.privacy,
        tables_by_user=_history(workspace, month) | _workouts(workspace, month),
    )


def _history(workspace: Workspace, month: str) -> dict[str, release_build.Parts]:
    """The tables of `person_history`; none if the month has not been materialized."""
    store = workspace.history
    if store.manifest(month) is None:
        return {}
    return {name: partial(store.parts, month, name) for name in HISTORY_TABLES}


def _workouts(workspace: Workspace, month: str) -> dict[str, release_build.Parts]:
    """The table of workouts; none if there are none, or the month has not been materialized."""
    if workspace.workouts.manifest(month) is None:
        return {}
    rows = workspace.workouts.scan([month]).table
    return {"workouts": lambda: [tables.workouts(rows)]} if len(rows) else {}


def _check_results(
    workspace: Workspace, month: str, manifest: Manifest, min_completeness: float
) -> list[CheckResult]:
    """The results that were stored with the month, unless they compared it with other data."""
    judged = judged_data(workspace, month, manifest)
    results = workspace.check_results.load(month, judged)
    if results is None:
        lake = workspace.daily
        results = checks.check_daily_activity(
            workspace,
            month,
            lambda columns: lake.scan([month], columns).table,
            lake.info(month),
            min_completeness,
        )
        workspace.check_results.save(month, judged, results)
    return results


def _model(spec: ModelSpec, store: ModelStore[ModelReport], month: str) -> release_build.Model:
    """The model of `month`, or else the newest released one of the window before it."""
    report, content = _compared(spec, store, month)
    personal = content if report.scope == "personal" else None
    if content is not None and personal is None:
        return release_build.Model(entry=ReleasedModel(report=report), content=content)
    for earlier in reversed(trailing(month, TRAILING_WINDOW)[:-1]):
        # A model that an older version stored may not be loadable: it is no fallback.
        with suppress(StorageError):
            if not store.manifest(earlier):
                continue
            found, content = _compared(spec, store, earlier)
            # A personal model is of its own month only.
            if content is not None and found.scope != "personal":
                load(content, f"{earlier} {store.root.name}")
                entry = ReleasedModel(report=report, fallback=Fallback(month=earlier, report=found))
                return release_build.Model(entry=entry, content=content, personal=personal)
    return release_build.Model(entry=ReleasedModel(report=report), content=None, personal=personal)


def _compared(
    spec: ModelSpec, store: ModelStore[ModelReport], month: str
) -> tuple[ModelReport, bytes | None]:
    """The report of `month`, compared with the month before; and the model if it is released."""
    before = store.headline(shift(month, -1), ModelHeadline)
    report = gates.with_comparison(spec, store.report(month), before)
    return report, store.read(month, MODEL) if report.released else None


def _comparison(models: Mapping[str, release_build.Model]) -> CheckResult:
    """The results of `no_worse_than_before` of all forests as one."""
    found = {
        spec: next(each for each in models[spec.name].entry.report.gates if each.name == NO_WORSE)
        for spec in FORESTS
    }
    return CheckResult(
        NO_WORSE,
        all(each.passed for each in found.values()),
        "; ".join(f"{spec.title}: {each.message}" for spec, each in found.items()),
        {
            f"{spec.name}_{name}": value
            for spec, each in found.items()
            for name, value in each.values.items()
        },
        judged=any(each.judged for each in found.values()),
    )


def _searched_versions(store: ModelStore[ModelReport], month: str) -> dict[str, str]:
    """Versions of the models among which a fallback is looked for: a change may choose another."""
    # The first of the window is compared with the month before it.
    return {
        f"{store.root.name}/{earlier}": manifest.data_version
        for earlier in trailing(month, TRAILING_WINDOW + 1)[:-1]
        if (manifest := store.manifest(earlier)) is not None
    }


def _segments(
    workspace: Workspace, month: str, *, is_partial: bool
) -> release_build.Segments | None:
    """The segments of `month`. In a partial month users are still in those of the month before."""
    store = workspace.models[_SEGMENTS]
    content, table = store.read(month, MODEL), store.table(month, "segments")
    metrics = store.report(month).metrics
    if content is None or table is None or not isinstance(metrics, SegmentMetrics):
        return None
    return release_build.Segments(
        model=load(content, f"{month} {_SEGMENTS}"),
        metrics=metrics,
        table=table,
        content=store.read(month, "segments.parquet") or b"",
        previous_names={} if is_partial else segment_names(workspace, shift(month, -1)),
    )


def _metadata(
    release: Release, digest: str, steps: list[model_loader.Step], models: int
) -> dict[str, object]:
    """The metadata of a release with so many `models`, of both bundles."""
    info = release.info
    files = [
        dg.TableRecord({"file": file.name, "bytes": file.bytes, "sha256": file.sha256})
        for file in release.manifest.files
    ]
    loading = [dg.TableRecord(asdict(step)) for step in steps]
    return {
        **partial_metadata(info.partial_until),
        "dagster/row_count": info.summary.records,
        "models": models,
        "sha256": digest,
        **({"loading": dg.MetadataValue.table(loading)} if loading else {}),
        "files": dg.MetadataValue.table(files),
        "not_released": dg.MetadataValue.json(info.not_released),
        "fallbacks": dg.MetadataValue.json(info.fallbacks),
        "path": dg.MetadataValue.path(str(release.folder)),
    }
