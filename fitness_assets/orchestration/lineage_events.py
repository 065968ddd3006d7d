"""Events of OpenLineage (https://openlineage.io) for what a run does to an asset and month.

Only imported if the extra `openlineage` is installed.
"""

from datetime import UTC, date, datetime, time
from importlib.metadata import version
from typing import Any

import attr
import dagster as dg
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    RunFacet,
    column_lineage_dataset,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    nominal_time_run,
    output_statistics_output_dataset,
    parent_run,
    schema_dataset,
    set_producer,
)
from openlineage.client.uuid import generate_static_uuid

from fitness_assets import months
from fitness_assets.orchestration.lineage import INPUTS
from fitness_assets.settings import Settings

_PRODUCER = f"urn:fitness-assets:{version('fitness-assets')}"
_DATA_VERSION_TAG = "dagster/data_version"


@attr.define
class MonthRunFacet(RunFacet):
    """The partition of a run: its month."""

    month: str

    @staticmethod
    def _get_schema() -> str:
        return "urn:fitness-assets:month-run-facet:1"


class AssetEvents:
    """Makes the events of one run of Dagster.

    Parameters
    ----------
    settings : Settings
        With the time zone of the months.
    namespace : str
        Of jobs and datasets, which have the names of the assets.
    run : DagsterRun
    created : datetime
        When the run was created.
    """

    def __init__(
        self, settings: Settings, namespace: str, run: dg.DagsterRun, created: datetime
    ) -> None:
        self._settings = settings
        self._namespace = namespace
        self._run = run
        self._created = created
        set_producer(_PRODUCER)

    def start(self, asset: str, month: str, at: float) -> RunEvent:
        """The event that `asset` begins to be materialized."""
        return self._event(RunState.START, asset, month, at)

    def complete(
        self, asset: str, month: str, at: float, found: dg.AssetMaterialization
    ) -> RunEvent:
        """The event that `asset` was materialized."""
        facets: dict[str, DatasetFacet] = {}
        metadata = found.metadata
        schema, columns = (
            metadata.get("dagster/column_schema"),
            metadata.get("dagster/column_lineage"),
        )
        if isinstance(schema, dg.TableSchemaMetadataValue):
            facets["schema"] = _schema(schema.schema)
        if isinstance(columns, dg.TableColumnLineageMetadataValue):
            facets["columnLineage"] = self._column_lineage(columns.column_lineage)
        if data_version := (found.tags or {}).get(_DATA_VERSION_TAG):
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(data_version)
        rows, size = (metadata.get(name) for name in ("dagster/row_count", "size_bytes"))
        statistics = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=_integer(rows), size=_integer(size)
        )
        output = OutputDataset(
            self._namespace, asset, facets=facets, outputFacets={"outputStatistics": statistics}
        )
        return self._event(RunState.COMPLETE, asset, month, at, output=output)

    def fail(self, asset: str, month: str, at: float, reason: str) -> RunEvent:
        """The event that `asset` was not materialized; `reason` is one line."""
        error = error_message_run.ErrorMessageRunFacet(reason, programmingLanguage="PYTHON")
        return self._event(RunState.FAIL, asset, month, at, facets={"errorMessage": error})

    def abort(self, asset: str, month: str, at: float) -> RunEvent:
        """The event that the run was canceled."""
        return self._event(RunState.ABORT, asset, month, at)

    def _event(  # noqa: PLR0913 - the parts of an event
        self,
        state: RunState,
        asset: str,
        month: str,
        at: float,
        *,
        output: OutputDataset | None = None,
        facets: dict[str, RunFacet] | None = None,
    ) -> RunEvent:
        # The same for each event of the asset, month and run, also if it is sent twice.
        identity = generate_static_uuid(
            self._created, f"{self._run.run_id} {asset} {month}".encode()
        )
        parent = parent_run.ParentRunFacet(
            run=parent_run.Run(runId=self._run.run_id),
            job=parent_run.Job(namespace=self._namespace, name=self._run.job_name),
        )
        nominal = nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=self._instant(months.start(month)),
            nominalEndTime=self._instant(months.end(month)),
        )
        job_facets: dict[str, JobFacet] = {
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="DAGSTER", jobType="ASSET"
            )
        }
        return RunEvent(
            eventType=state,
            eventTime=datetime.fromtimestamp(at, UTC).isoformat(),
            producer=_PRODUCER,
            run=Run(
                runId=str(identity),
                facets={
                    "parent": parent,
                    "nominalTime": nominal,
                    "fitness_month": MonthRunFacet(month),
                    **(facets or {}),
                },
            ),
            job=Job(self._namespace, asset, facets=job_facets),
            inputs=[InputDataset(self._namespace, name) for name in INPUTS[asset]],
            outputs=[output or OutputDataset(self._namespace, asset)],
        )

    def _instant(self, day: date) -> str:
        return datetime.combine(day, time(), self._settings.zone).isoformat()

    def _column_lineage(
        self, lineage: dg.TableColumnLineage
    ) -> column_lineage_dataset.ColumnLineageDatasetFacet:
        return column_lineage_dataset.ColumnLineageDatasetFacet(
            fields={
                column: column_lineage_dataset.Fields(
                    inputFields=[
                        column_lineage_dataset.InputField(
                            self._namespace, each.asset_key.to_user_string(), each.column_name
                        )
                        for each in inputs
                    ]
                )
                for column, inputs in lineage.deps_by_column.items()
            }
        )


def _schema(schema: dg.TableSchema) -> schema_dataset.SchemaDatasetFacet:
    return schema_dataset.SchemaDatasetFacet(
        fields=[
            schema_dataset.SchemaDatasetFacetFields(
                name=column.name, type=column.type, description=column.description
            )
            for column in schema.columns
        ]
    )


def _integer(value: Any) -> int | None:
    """The number of a value of metadata; None if it is no integer, or there is no value."""
    found = getattr(value, "value", None)
    return found if isinstance(found, int) else None
