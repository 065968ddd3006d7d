"""Selections of assets, as `dagster asset materialize` takes them."""

from pathlib import Path

import pytest

from fitness_assets.cli.runs import select_assets
from fitness_assets_tests.support.platform import MakeSettings


@pytest.mark.parametrize(
    "selection",
    [
        "raw_telemetry,daily_activity",
        "raw_telemetry, key:daily_activity",
        'key:"raw_telemetry" or key:"daily_activity"',
        "+daily_activity",
    ],
)
def test_assets_are_selected_as_dagster_selects_them(
    make_settings: MakeSettings, tmp_path: Path, selection: str
) -> None:
    keys = [key.to_user_string() for key in select_assets(make_settings(tmp_path), selection)]
    assert keys == ["raw_telemetry", "daily_activity"]
