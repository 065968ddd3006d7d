"""What a change of records affects, compared with the rule spelled out in months."""

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fitness_assets.definitions import build_defs
from fitness_assets.models.registry import MODEL_NAMES
from fitness_assets.months import between, shift, trailing
from fitness_assets.orchestration.affected import affected_assets
from fitness_assets.orchestration.partitions import TRAILING_WINDOW
from fitness_assets_tests.support.platform import MakeSettings

MONTHS = between("2023-04", "2024-06")
RELEASED = {"model_backtest", "dashboard_release", "drive_upload"}


@pytest.fixture(scope="module")
def defs(make_settings: MakeSettings, tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    home = tmp_path_factory.mktemp("affected")
    return build_defs(make_settings(home, FITNESS_LAST_MONTH=MONTHS[-1]))


def expected(month: str, changed: set[str]) -> set[str]:
    """Assets of `month` to rematerialize.

    The baselines of a month use the month before it. A model uses a window of months of
    `daily_activity`. A backtest scores the models of the month before.
    """
    cleaned = changed | {shift(each, 1) for each in changed}
    if month in changed:
        return {"raw_telemetry", "daily_activity", *MODEL_NAMES, *RELEASED}
    if month in cleaned:
        return {"daily_activity", *MODEL_NAMES, *RELEASED}
    if cleaned.intersection(trailing(month, TRAILING_WINDOW)):
        return {*MODEL_NAMES, *RELEASED}
    if cleaned.intersection(trailing(shift(month, -1), TRAILING_WINDOW)):
        return RELEASED
    return set()


@hypothesis_settings(max_examples=60, deadline=None)
@given(changed=st.sets(st.sampled_from(MONTHS)))
def test_windows_and_baselines_carry_a_change_as_far_as_their_mappings(
    defs: dg.Definitions, changed: set[str]
) -> None:
    affected = affected_assets(defs, changed)
    # It is materialized on demand.
    affected.pop(dg.AssetKey("compression_report"))
    for month in MONTHS:
        found = {key.to_user_string() for key, months in affected.items() if month in months}
        assert found == expected(month, changed), month


def test_months_outside_the_partitions_are_ignored(defs: dg.Definitions) -> None:
    assert not any(affected_assets(defs, {"2019-01", "2030-01"}).values())


def test_assets_are_in_topological_order(defs: dg.Definitions) -> None:
    names = [key.to_user_string() for key in affected_assets(defs, MONTHS[:1])]
    assert (
        names.index("raw_telemetry") < names.index("daily_activity") < names.index(MODEL_NAMES[0])
    )
    assert names.index("dashboard_release") < names.index("drive_upload")
