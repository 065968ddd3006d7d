"""The asset `daily_activity`, with Spark and without."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from fitness_assets.assets import daily_activity
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MONTHS, MakeSettings, materialize


@pytest.mark.spark
@pytest.mark.usefixtures("spark")
def test_a_month_cleaned_on_spark_has_the_files_of_one_cleaned_without(
    make_settings: MakeSettings,
    tmp_path: Path,
    released: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(tmp_path)
    shutil.copytree(released.home / "lake" / "raw_telemetry", tmp_path / "lake" / "raw_telemetry")
    monkeypatch.setattr(daily_activity, "ROWS_WITHOUT_SPARK", 0)
    without, on_spark = Workspace.of(released).daily, Workspace.of(settings).daily
    with dg.DagsterInstance.ephemeral() as instance:
        for month in MONTHS:
            assert materialize(settings, month, instance, ["daily_activity"]).success
            assert on_spark.published(month).data_version == without.published(month).data_version
            contents = [
                [path.read_bytes() for path in lake.files(month)] for lake in (without, on_spark)
            ]
            assert contents[0] == contents[1]
