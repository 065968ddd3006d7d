"""Freshness by month: what is due, and what the check and the sensor say of it."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from fitness_assets import months
from fitness_assets.definitions import build_defs
from fitness_assets.orchestration.freshness import CHECK, due_month, overdue_assets
from fitness_assets.orchestration.lineage import INPUTS, ON_DEMAND
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MakeSettings

OPEN = {"FITNESS_COHORT_USERS": "3", "FITNESS_LAST_MONTH": "open"}


@pytest.mark.parametrize(
    ("now", "due"),
    [
        (datetime(2023, 11, 3, 11, 59, tzinfo=UTC), "2023-09"),
        (datetime(2023, 11, 3, 12, tzinfo=UTC), "2023-10"),
        (datetime(2024, 1, 1, tzinfo=UTC), "2023-11"),
        (datetime(2024, 1, 31, tzinfo=UTC), "2023-12"),
        (datetime(2023, 5, 3, 12, tzinfo=UTC), "2023-04"),
        (datetime(2023, 5, 3, 11, tzinfo=UTC), None),
    ],
)
def test_a_month_is_due_on_the_third_day_of_the_next(
    make_settings: MakeSettings, tmp_path: Path, now: datetime, due: str | None
) -> None:
    assert due_month(make_settings(tmp_path, **OPEN), now) == due
    assert due_month(make_settings(tmp_path), now) is None, "no month of a closed range is due"


def test_a_restated_month_does_not_make_a_missing_one_fresh(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings = make_settings(tmp_path, **OPEN)
    defs = build_defs(settings)
    due = due_month(settings, datetime.now(UTC))
    assert due is not None
    sensor = defs.resolve_sensor_def("evaluate_on_time")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    cursor = None

    def passed_by_sensor() -> dict[str, bool]:
        """What the sensor records, by asset; empty if it skips."""
        nonlocal cursor
        context = dg.build_sensor_context(
            instance=instance, cursor=cursor, repository_def=defs.get_repository_def()
        )
        tick = sensor.evaluate_tick(context)
        cursor = tick.cursor
        evaluations = [e for e in tick.asset_events if isinstance(e, dg.AssetCheckEvaluation)]
        return {each.asset_key.to_user_string(): each.passed for each in evaluations}

    def passed_in_run(month: str) -> bool:
        run = defs.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            partition_key=month,
            asset_selection=[dg.AssetKey("raw_telemetry")],
        )
        (check,) = (c for c in run.get_asset_check_evaluations() if c.check_name == CHECK)
        assert check.description is not None
        assert check.description.startswith(due)
        return check.passed

    with dg.DagsterInstance.ephemeral() as instance:
        recorded = passed_by_sensor()
        assert recorded == dict.fromkeys([a for a in INPUTS if a not in ON_DEMAND], False), (
            "what was never materialized is overdue"
        )
        assert not passed_in_run(months.shift(due, -1))
        assert passed_by_sensor() == {}, "nothing has changed"
        assert passed_in_run(due)
        recorded = passed_by_sensor()
        assert recorded.pop("raw_telemetry")
        assert set(recorded.values()) == {False}
        assert not overdue_assets(settings, Workspace.of(settings), datetime.now(UTC))[
            "raw_telemetry"
        ]


def test_only_an_open_range_has_the_check(make_settings: MakeSettings, tmp_path: Path) -> None:
    graph = build_defs(make_settings(tmp_path)).resolve_asset_graph()
    assert CHECK not in {key.name for key in graph.asset_check_keys}
