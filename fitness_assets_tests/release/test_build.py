"""The assembly of a release from the data and the models of a month."""

import io
import json
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest

from fitness_assets.errors import ReleaseError, StorageError
from fitness_assets.models.registry import MODELS
from fitness_assets.models.reports import BacktestReport, ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.record.raw import TRAITS
from fitness_assets.release import build, tables
from fitness_assets.release.acceptance import check_people, check_release
from fitness_assets.release.bundle import (
    DataReport,
    Fallback,
    ReleasedModel,
    ReleaseReport,
)
from fitness_assets.release.people import PEOPLE_TABLES, Privacy, split
from fitness_assets.release.store import ReleaseStore
from fitness_assets.storage import documents
from fitness_assets_tests.support.days import random_days
from fitness_assets_tests.support.segments import learned

DATA = DataReport(
    delivered=9,
    unread={"days.csv": "row 3, steps: 'many'"},
    checks=[CheckResult("no_drift", True, "no number drifted", {"largest": 0.01})],
    rows=8,
    bytes=100,
    bytes_read=50,
    columns=30,
    columns_read=len(tables.COLUMNS),
)


PRIVATE = Privacy(people="private", by_hand=False, real=True, smallest_cell=5)
PUBLIC = Privacy(people="public", by_hand=False, real=False, smallest_cell=5)


def report(released: bool, month: str = "2023-04") -> ModelReport:
    reason = None if released else "needs 20 users"
    return ModelReport(
        window=[month], learned_from={month: "a"}, released=released, reason=reason, gates=[]
    )


def days() -> pd.DataFrame:
    """Eight days of two users, of which one day is not worn."""
    rows = [(f"u{user}", date(2023, 4, 3) + timedelta(day)) for user in (1, 2) for day in range(4)]
    frame = pd.DataFrame(rows, columns=["user_id", "date"]).reindex(columns=tables.COLUMNS)
    numeric = [name for name in tables.COLUMNS if frame[name].isna().all()]
    frame[numeric] = frame[numeric].astype(float)
    return frame.assign(
        day_of_week=[day.isoweekday() for _, day in rows],
        worn=[True] * 7 + [False],
        activity_type=["walking", "running"] * 4,
        quality_flags=pd.Series([[]] * len(rows)),
        steps=[float(1000 * (number + 1)) for number in range(7)] + [float("nan")],
        sex="female",
    )


def inputs(privacy: Privacy = PUBLIC) -> build.Inputs:
    fallback = Fallback(month="2023-03", report=report(released=True, month="2023-03"))
    carried = ReleasedModel(report=report(released=False), fallback=fallback)
    return build.Inputs(
        month="2023-04",
        days=days(),
        data=DATA,
        upstream={"daily_activity": "a"},
        models={
            "segment_model": build.Model(
                entry=ReleasedModel(report=report(released=False)), content=None
            ),
            "calorie_regressor": build.Model(entry=carried, content=b"a model"),
        },
        segments=None,
        backtest=BacktestReport(model_month="2023-03", evaluations={}, not_scored={}),
        compression=None,
        privacy=privacy,
    )


def test_a_release_describes_what_it_carries() -> None:
    files, info = build.assemble(inputs())
    assert files["calorie_regressor.skops"] == b"a model"
    assert "segment_model.skops" not in files
    assert info.not_released == dict.fromkeys(
        ("segment_model", "calorie_regressor"), "needs 20 users"
    )
    assert info.fallbacks == {"calorie_regressor": "2023-03"}
    assert info.checks == {"no_drift": True}
    assert (info.summary.records, info.summary.worn_records) == (8, 7)
    assert info.summary.mean_steps == 4000
    assert info.summary.mean_sleep_hours is None
    by_day = pd.read_parquet(io.BytesIO(files["days.parquet"]))
    assert by_day["records"].tolist() == [2, 2, 2, 2]
    written = documents.decode(files["metrics.json"], ReleaseReport, "x")
    assert written.data == DATA
    assert written.models["segment_model"].carried is None
    regressor = written.models["calorie_regressor"]
    assert regressor.carried == report(released=True, month="2023-03")


def test_the_model_of_the_month_is_carried_before_a_fallback() -> None:
    own = report(released=True)
    assert ReleasedModel(report=own).carried == own


def test_equal_inputs_give_equal_files() -> None:
    assert build.assemble(inputs()) == build.assemble(inputs())


@pytest.mark.parametrize("privacy", [PUBLIC, PRIVATE])
@pytest.mark.parametrize("rows", [0, 8])
def test_what_is_built_is_accepted_by_readers(privacy: Privacy, rows: int) -> None:
    made = inputs(privacy)
    models = {
        spec.name: build.Model(entry=ReleasedModel(report=report(released=False)), content=None)
        for spec in MODELS
    }
    files, _ = build.assemble(replace(made, days=made.days[:rows], models=models))
    public, private = split(files, privacy.people)
    check_release(public, "2023-04", load_models=False)
    check_people(private, "2023-04", load_models=False)
    without = {name: content for name, content in public.items() if name != "days.parquet"}
    with pytest.raises(ReleaseError, match=r"no days\.parquet"):
        check_release(without, "2023-04", load_models=False)


MODES = {
    "public": PUBLIC,
    "public, of real people": replace(PUBLIC, by_hand=True, real=True),
    "private": PRIVATE,
    "private, any cell": replace(PRIVATE, smallest_cell=1),
    "none": replace(PRIVATE, people="none", smallest_cell=20),
}
#: What a source may lack.
LACKING: dict[str, dict[str, Any]] = {
    "nothing": {},
    "labels": {"activity_type": None},
    "measurements": dict.fromkeys(tables.NUMBERS, np.nan),
    "traits": dict.fromkeys(TRAITS),
    "worn days": {"worn": False},
}


def assembled(privacy: Privacy, users: int, lacking: str) -> tuple[dict[str, bytes], ...]:
    """The two bundles of a month with segments and without models."""
    days = random_days(users, seed=users, days=5).assign(**LACKING[lacking])
    models = {
        spec.name: build.Model(entry=ReleasedModel(report=report(released=False)), content=None)
        for spec in MODELS
    }
    model, table, metrics = learned(24, groups=2)
    segments = build.Segments(
        model=model,
        metrics=metrics,
        table=table if users else table.assign(segment_name=None),
        content=build._parquet(table),
        previous_names=dict.fromkeys(table["user_id"][::2], "Other") if users else {},
    )
    made = replace(inputs(privacy), days=days, models=models, segments=segments)
    return split(build.assemble(made)[0], privacy.people)


@pytest.mark.parametrize(
    ("mode", "users", "lacking"),
    [
        *((mode, users, "nothing") for mode in MODES for users in (0, 4, 24)),
        *((mode, 24, lacking) for mode in ("public", "private") for lacking in [*LACKING][1:]),
    ],
)
def test_tables_have_the_columns_that_readers_declare(mode: str, users: int, lacking: str) -> None:
    """Of every privacy mode, with many users, few and none, and without whole columns."""
    public, private = assembled(MODES[mode], users, lacking)
    check_release(public, "2023-04", load_models=False)
    check_people(private, "2023-04", load_models=False)
    assert bool(private) == mode.startswith("private")


@pytest.mark.parametrize("mode", ["public", "private"])
def test_a_table_with_other_columns_is_refused(mode: str) -> None:
    public, private = assembled(MODES[mode], 24, "nothing")
    other = build._parquet(pd.DataFrame({"other": [1]}))
    for files, check in ((public, check_release), (private, check_people)):
        for name in files:
            if name.endswith(".parquet"):
                with pytest.raises(ReleaseError, match=f"{name} has no column"):
                    check(files | {name: other}, "2023-04", load_models=False)
    for wrong in (
        pd.concat([pd.read_parquet(io.BytesIO(public["days.parquet"]))] * 20_000),
        pd.read_parquet(io.BytesIO(public["days.parquet"])).assign(note="a" * 3_000_000),
    ):
        with pytest.raises(ReleaseError, match=r"rows and .* bytes of text; the limits are"):
            check_release(
                public | {"days.parquet": build._parquet(wrong)}, "2023-04", load_models=False
            )
    for name in ("sample.parquet", "pairs.parquet"):
        public.pop(name, None)
    with pytest.raises(ReleaseError, match="neither sample"):
        check_release(public, "2023-04", load_models=False)


def test_a_report_with_a_wrong_field_is_refused_by_name(tmp_path: Path) -> None:
    files, info = build.assemble(inputs())
    del files["calorie_regressor.skops"]
    files["metrics.json"] = files["metrics.json"].replace(b'"rows": 8', b'"rows": "8"')
    store = ReleaseStore(tmp_path)
    release = store.publish(files, info)
    assert release.info == info
    with pytest.raises(StorageError, match=r"the metrics of the release of 2023-04 .*data\.rows"):
        release.report()
    unknown = msgspec.structs.replace(info, schema_version=4)
    with pytest.raises(StorageError, match="run `fitness backfill 2023-04`"):
        store.publish(files, unknown)


def test_a_protected_release_has_no_exact_numbers_and_no_names() -> None:
    files, info = build.assemble(inputs(PRIVATE))
    public, private = split(files, "private")
    assert (
        private.keys()
        == {"sample.parquet", "user_days.parquet"}
        <= {f"{name}.parquet" for name in PEOPLE_TABLES}
    )
    text = public["metrics.json"].decode()
    assert "days.csv" not in text
    assert json.loads(text)["data"]["delivered"] % 5 == 0
    assert info.summary.records == 0, "two people"
    assert info.not_released["segment_model"] == "needs 20 users"
    assert pd.read_parquet(io.BytesIO(public["days.parquet"])).empty
