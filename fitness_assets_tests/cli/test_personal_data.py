"""Export of all data of one user from months that differ in columns and in buckets."""

import zipfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from fitness_assets.cli.personal_data import export_user
from fitness_assets.record import raw
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.storage import rows
from fitness_assets.storage.lake import describe
from fitness_assets.storage.rows import write_delivered
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MONTHS, MakeSettings


def test_months_with_other_optional_columns_are_exported_together(
    make_settings: MakeSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(tmp_path)
    lake, expected = Workspace.of(settings).raw, 0
    user = "u0000007"
    for month, columns, size in zip(
        MONTHS, (raw.SCHEMA.names, raw.FULL_SCHEMA.names), (1_000_000, 1_000), strict=True
    ):
        delivered = pa.Table.from_batches(Cohort(users=100, seed=1).read(month)).select(columns)
        expected += delivered["user_id"].to_pylist().count(user)
        monkeypatch.setattr(rows, "ROWS_PER_BUCKET", size)
        with lake.writer(month) as writer:
            write_delivered(writer.staging, delivered.to_batches())
            writer.publish(describe(writer.staging))
    infos = [lake.info(month) for month in MONTHS]
    assert [info.bucket_count for info in infos] == [1, 4]
    assert infos[0].columns.keys() < infos[1].columns.keys()
    found = export_user(settings, user, tmp_path / "user.zip")
    assert found["raw_telemetry"] == expected > 60
    with zipfile.ZipFile(tmp_path / "user.zip") as archive:
        exported = pd.read_csv(archive.open("raw_telemetry.csv"))
    assert set(exported["user_id"]) == {user}
    assert set(exported) == infos[1].columns.keys()
