"""Send what runs do to a collector of OpenLineage, such as Marquez or DataHub.

A sensor reads the events that Dagster has stored, so that a run never waits for the collector and
never fails with it. What could not be sent is sent later: the sensor remembers how far it came.
"""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import msgspec
from dagster._core.event_api import EventLogCursor

from fitness_assets import clock
from fitness_assets.errors import SettingsError
from fitness_assets.orchestration.failures import first_failure
from fitness_assets.orchestration.lineage import INPUTS
from fitness_assets.orchestration.run_tags import months_of_run
from fitness_assets.settings import Settings, lineage_namespace

if TYPE_CHECKING:
    from openlineage.client import OpenLineageClient
    from openlineage.client.event_v2 import RunEvent

    from fitness_assets.orchestration.lineage_events import AssetEvents

_INTERVAL_SECONDS = 30
#: After this time the rest is left to the next evaluation. Dagster ends one after 60 s.
_BUDGET_SECONDS = 30.0
#: Timeout of one request.
_REQUEST_SECONDS = 5.0
#: How far to look back for runs that changed: another process may have written its change late.
_OVERLAP_SECONDS = 60.0
_RUNS, _RECORDS = 100, 200
_CREDENTIALS = re.compile(r"//[^/@\s]*@")
_TYPES = {
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.ASSET_MATERIALIZATION,
}


class _Run(msgspec.Struct):
    """How far the events of a run were sent.

    Attributes
    ----------
    after : str or None
        Dagster's cursor of the last event.
    month : int
        The number of the month of the last step among the months of the run. The events of a step
        do not name its month, and a run takes its months in order.
    begun : list of str
        The assets that began in this month. The first of a month is one of them: what it is made
        from is not in the run, so that no failure keeps it from beginning.
    open : dict of str to str
        The month of each asset that began and has not ended.
    ended : float or None
        When the run ended, if all was sent.
    """

    after: str | None = None
    month: int = 0
    begun: list[str] = msgspec.field(default_factory=list)
    open: dict[str, str] = msgspec.field(default_factory=dict)
    ended: float | None = None


class _Cursor(msgspec.Struct):
    """The runs that changed after `since`, in seconds since 1970, by id."""

    since: float
    runs: dict[str, _Run] = msgspec.field(default_factory=dict)


def lineage_sensors(settings: Settings) -> list[dg.SensorDefinition]:
    """The sensor that sends events to a collector; none if no collector is configured."""
    namespace = lineage_namespace()
    if namespace is None:
        return []

    @dg.sensor(
        name="openlineage",
        minimum_interval_seconds=_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends what each run does to the collector of OpenLineage that is configured.",
    )
    def openlineage(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if context.cursor is None:
            cursor = _Cursor(since=clock.now().timestamp())
        else:
            cursor = msgspec.json.decode(context.cursor, type=_Cursor)
        client = _client()
        sent, problem = 0, None
        deadline = time.monotonic() + _BUDGET_SECONDS
        for event in _events(context.instance, settings, namespace, cursor):
            try:
                client.emit(event)
            except Exception as error:  # noqa: BLE001 - the client has no base class for its errors
                problem = f"cannot be sent, and is sent again later: {type(error).__name__}"
                # The address may have a password.
                text = _CREDENTIALS.sub("//", str(error))
                context.log.warning(f"an event of OpenLineage {problem}: {text}")
                break
            sent += 1
            if time.monotonic() > deadline:
                problem = "the rest is sent later"
                break
        client.close(_REQUEST_SECONDS)
        skipped = f"sent {sent} events" + (f"; {problem}" if problem else "")
        return dg.SensorResult(skip_reason=skipped, cursor=msgspec.json.encode(cursor).decode())

    return [openlineage]


def _client() -> "OpenLineageClient":
    try:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.composite import CompositeTransport
        from openlineage.client.transport.http import HttpTransport
    except ImportError as error:
        raise SettingsError(
            "OpenLineage is configured and needs an extra: pip install fitness_assets[openlineage]"
        ) from error
    client = OpenLineageClient()
    found = client.transport
    for transport in found.transports if isinstance(found, CompositeTransport) else [found]:
        if isinstance(transport, HttpTransport):
            # The next evaluation tries again.
            transport.config.retry = {"total": 0}
            transport.timeout = min(transport.timeout, _REQUEST_SECONDS)
    return client


def _events(
    instance: dg.DagsterInstance, settings: Settings, namespace: str, cursor: _Cursor
) -> Iterator["RunEvent"]:
    """What was not sent yet; an event counts as sent in `cursor` when the next one is asked for."""
    from fitness_assets.orchestration.lineage_events import AssetEvents

    changed = instance.get_run_records(
        dg.RunsFilter(updated_after=datetime.fromtimestamp(cursor.since, UTC)),
        limit=_RUNS,
        order_by="update_timestamp",
        ascending=True,
    )
    found = {record.dagster_run.run_id: record for record in changed}
    unfinished = {key for key, run in cursor.runs.items() if run.ended is None} - set(found)
    if unfinished:
        wanted = dg.RunsFilter(run_ids=sorted(unfinished))
        found |= {each.dagster_run.run_id: each for each in instance.get_run_records(wanted)}
    for run_id, record in found.items():
        state = cursor.runs.setdefault(run_id, _Run())
        if state.ended is None:
            events = AssetEvents(settings, namespace, record.dagster_run, record.create_timestamp)
            yield from _events_of_run(instance, record, state, events)
    if changed:
        last = changed[-1].update_timestamp.timestamp()
        # After a full page there are others, and looking back could find the same page again.
        cursor.since = max(cursor.since, last - (len(changed) < _RUNS) * _OVERLAP_SECONDS)
    cursor.runs = {
        key: run
        for key, run in cursor.runs.items()
        # A run that is not found was deleted.
        if (key in found if run.ended is None else run.ended > cursor.since - _OVERLAP_SECONDS)
    }


def _events_of_run(
    instance: dg.DagsterInstance, record: dg.RunRecord, state: _Run, events: "AssetEvents"
) -> Iterator["RunEvent"]:
    run = record.dagster_run
    has_more = True
    while has_more:
        page = instance.get_records_for_run(
            run.run_id, cursor=state.after, of_type=_TYPES, limit=_RECORDS
        )
        for each in page.records:
            event = each.event_log_entry.dagster_event
            if event is not None and event.step_key in INPUTS:
                yield from _of_step(run, event, each.timestamp, state, events)
            state.after = EventLogCursor.from_storage_id(each.storage_id).to_string()
        has_more = page.has_more
    # `record` was read before the events: an ended run has no others.
    if run.is_finished:
        at = record.end_time or record.update_timestamp.timestamp()
        for asset, month in sorted(state.open.items()):
            # Its process was killed, or the run was canceled.
            if run.status is dg.DagsterRunStatus.CANCELED:
                yield events.abort(asset, month, at)
            else:
                yield events.fail(asset, month, at, "the process of the run ended")
            del state.open[asset]
        state.ended = at


def _of_step(
    run: dg.DagsterRun, event: dg.DagsterEvent, at: float, state: _Run, events: "AssetEvents"
) -> Iterator["RunEvent"]:
    """The event of OpenLineage for an event of a step, if there is one."""
    asset = str(event.step_key)
    kind = event.event_type
    if kind is dg.DagsterEventType.STEP_START:
        is_next = asset in state.begun
        number = state.month + is_next
        run_months = months_of_run(run)
        if number < len(run_months):
            yield events.start(asset, run_months[number], at)
            state.open[asset] = run_months[number]
        state.month, state.begun = number, [*([] if is_next else state.begun), asset]
    elif kind is dg.DagsterEventType.ASSET_MATERIALIZATION and event.partition is not None:
        found: Any = event.step_materialization_data.materialization
        yield events.complete(asset, event.partition, at, found)
        state.open.pop(asset, None)
    elif kind is dg.DagsterEventType.STEP_FAILURE and asset in state.open:
        yield events.fail(asset, state.open[asset], at, first_failure([event], run.run_id))
        del state.open[asset]
