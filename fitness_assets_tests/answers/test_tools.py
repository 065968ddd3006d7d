"""The questions of an assistant."""

import itertools
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from fitness_assets.answers import records
from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import MAX_BYTES, Answer, fit
from fitness_assets.answers.records import Sources
from fitness_assets.answers.tools import TOOLS, ask
from fitness_assets.cli.answering import open_home
from fitness_assets.errors import FitnessError, QuestionError
from fitness_assets.history.training import training
from fitness_assets.models.reports import ModelReport
from fitness_assets.record.check_result import CheckResult
from fitness_assets.settings import Settings
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.questions import (
    HOSTILE,
    LAST,
    MONTH,
    USER,
    build_home,
    days_of,
    settings_of,
    workouts_of,
)

#: Arguments of each tool that answer a question about the home.
ASKED: dict[str, Mapping[str, object]] = {
    "people": {},
    "day": {"date": "2023-02-05"},
    "series": {"measure": "steps", "period": "2022"},
    "compare": {"first": "2022-02", "second": MONTH},
    "baseline": {"date": "2023-03-01"},
    "associations": {"month": MONTH},
    "history": {"kind": "best"},
    "gaps": {"period": "2022"},
    "workouts": {"period": MONTH},
    "training_load": {"period": MONTH},
    "models": {},
}


def answer(home: Home, name: str, **given: object) -> dict[str, Any]:
    content = ask(home, name, given)
    assert len(content) <= MAX_BYTES
    found: dict[str, Any] = json.loads(content)
    return found


@pytest.mark.parametrize("name", TOOLS)
def test_each_tool_answers_and_names_its_sources(asked: Home, name: str) -> None:
    found = answer(asked, name, **ASKED[name])
    assert found["about"]
    if name == "models":
        return  # the home has none
    assert found["origin"]
    for origin in found["origin"]:
        assert origin["months"]
        assert origin.get("data_versions") or origin.get("digest")


def test_versions_are_those_of_the_lake(asked: Home, asked_settings: Settings) -> None:
    daily = Workspace.of(asked_settings).daily
    months = ["2022-02", "2022-03"]
    found = answer(asked, "series", measure="steps", period="2022-02..2022-03")
    expected = {month: daily.published(month).data_version[:12] for month in months}
    assert found["origin"][0]["data_versions"] == expected
    whole = {month: daily.published(month).data_version for month in daily.months()}
    found = answer(asked, "people")
    assert found["origin"][0]["digest"] == Sources(whole).digest


def test_the_answers_are_numbers_of_worn_days(asked: Home) -> None:
    days = days_of()
    worn = days[days["worn"]]
    month = worn.loc["2022-02"]
    compared = answer(asked, "compare", first="2022-02", second="2022-03", measure="steps")
    row = dict(zip(compared["columns"], compared["rows"][0], strict=True))
    assert row["first_median"] == round(np.median(month["steps"].round()))
    assert row["first_days"] == len(month)
    assert row["change"] == row["second_median"] - row["first_median"]
    points = answer(asked, "series", measure="sleep_hours", period="2022", by="month")
    medians = worn.loc["2022"].groupby(lambda day: day.month)["sleep_hours"].median()
    assert [row[1] for row in points["rows"]] == pytest.approx(medians.round(1), abs=0.051)
    gaps = answer(asked, "gaps", period="2022-02")
    assert sum(row[3] for row in gaps["rows"]) == 28 - len(month)
    usual = answer(asked, "baseline", date="2022-03-01", measure="steps")
    assert usual["rows"][0][3] == row["first_median"]


def test_a_partial_month_is_named(asked: Home) -> None:
    found = answer(asked, "series", measure="steps", period="2023")
    assert found["origin"][0]["partial_until"] == str(LAST)
    assert found["origin"][0]["months_absent"] == "2023-04..2023-12"
    assert "partial_until" not in answer(asked, "gaps", period="2022")["origin"][0]


def test_the_rest_of_a_cut_answer_can_be_asked_for(asked: Home) -> None:
    first = answer(asked, "series", measure="steps", period="2022")
    shown = len(first["rows"])
    rest = first["truncated"].split('"')[1]
    second = answer(asked, "series", measure="steps", period=rest)
    whole = days_of().loc["2022"]
    known = [str(day.date()) for day in whole.index[whole["worn"]]]
    assert [row[0] for row in first["rows"] + second["rows"]] == known[
        : shown + len(second["rows"])
    ]
    assert f"{shown} of {len(known)} rows" in first["truncated"]
    gaps, found = 0, {"truncated": "skip=0"}
    while "truncated" in found:
        found = answer(asked, "gaps", period="2022", skip=int(found["truncated"].split("=")[1]))
        gaps += len(found["rows"])
        if "truncated" in found:
            assert f"skip={gaps}" in found["truncated"]


def test_workouts_are_those_of_the_user_and_the_period(asked: Home) -> None:
    found = answer(asked, "workouts", period=MONTH)
    own = workouts_of().to_pandas().sort_values("local_start", ascending=False)
    own = own[own["local_start"].dt.strftime("%Y-%m") == MONTH]
    assert f"{len(own)} workouts in {MONTH}, the newest first" in found["about"]
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    assert [row["start"] for row in rows] == [f"{each:%Y-%m-%d %H:%M}" for each in own.local_start]
    assert rows[0]["activity"] == "running"
    assert (rows[0]["distance_km"], rows[0]["heart_rate_max"]) == (6.2, 171)
    assert rows[-1]["load"] is None
    assert "\x1b" not in rows[-1]["activity"]
    one = answer(asked, "workouts", period="2023-02-03")["rows"]
    assert one == [found["rows"][-2]]
    assert "rows" not in answer(asked, "workouts", period="2023-02-02")
    assert [each["months"] for each in found["origin"]] == [
        "workouts 2023-01..2023-02",
        "2022-11..2023-02",
    ]


def test_the_rest_of_the_workouts_can_be_asked_for(asked: Home) -> None:
    starts: list[str] = []
    found: dict[str, Any] = {"truncated": "skip=0"}
    while "truncated" in found:
        skip = int(found["truncated"].split("=")[1])
        assert skip == len(starts)
        found = answer(asked, "workouts", period="2023", skip=skip)
        starts += [row[0] for row in found["rows"]]
    assert len(starts) == len(set(starts)) == len(workouts_of())


def test_the_training_load_of_days_is_that_of_my_days(asked: Home) -> None:
    found = answer(asked, "training_load", period=MONTH)
    own = workouts_of().to_pandas().sort_values("local_start", ignore_index=True)
    own["date"], own["start"] = own["local_start"].dt.date, ""
    days = days_of().loc["2022-11":MONTH]
    known = days.assign(
        resting_heart_rate=days["resting_heart_rate"].where(days["worn"]), age=None, sex=None
    )
    until = date(2023, 2, 28)
    done = training(own[own["date"] <= until], known, date(2023, 2, 1), until)
    assert [row[0] for row in found["rows"]] == [f"{day:%Y-%m-%d}" for day in done.load["date"]]
    for place, name in enumerate(("load", "load_7d", "load_42d"), 1):
        assert [row[place] for row in found["rows"]] == [
            None if np.isnan(each) else round(each) for each in done.load[name]
        ]
    # Of a month that is not over, only the days so far.
    (*_, last) = answer(asked, "training_load", period="2023-03..2023-12")["rows"]
    assert last[0] == str(LAST)
    without = answer(asked, "training_load", period="2022-05")
    assert "rows" not in without
    assert without["notes"][-1].startswith("no workout with a heart rate in 2022-05")


def test_months_without_the_asset_workouts_are_named(asked: Home) -> None:
    for tool in ("workouts", "training_load"):
        notes = answer(asked, tool, period="2022-12..2023-01")["notes"]
        assert notes[0] == "the lake has no workouts of 2022-12; run `fitness backfill`"


#: Values that a confused or hostile assistant may give.
HOSTILE_VALUES: tuple[object, ...] = (
    *("", "x" * 5_000, "\ud800", HOSTILE, "2022-99", "../.."),
    *(-1, 10**30, 0.5, [], {}, None),
)


@pytest.mark.parametrize("name", TOOLS)
def test_any_value_gets_an_answer_or_one_clear_line(asked: Home, name: str) -> None:
    for field, value in itertools.product(TOOLS[name].arguments.__struct_fields__, HOSTILE_VALUES):
        try:
            content = ask(asked, name, {**ASKED[name], field: value})
            json.loads(content)
        except FitnessError as error:
            content = str(error).encode()
        assert 0 < len(content) <= MAX_BYTES
        assert b"\n" not in content


@pytest.mark.parametrize(
    ("name", "given_", "message"),
    [
        ("nothing", {}, "there are people, day, series"),
        ("day", {}, "missing required field `date`; its arguments are date, user"),
        ("day", {"date": 5}, "Expected `str`"),
        ("day", {"date": "2022-05"}, "is not a day"),
        (
            "day",
            {"date": "2022-05-03", "when": ""},
            "no argument 'when'; its arguments",
        ),
        ("day", {"date": "2022-05-03", "user": "ana"}, "did you mean anna"),
        ("series", {"measure": "pulse", "period": "2022"}, "there are steps, distance_km"),
        ("series", {"measure": "steps", "period": "2019"}, "it has 2022-01 to 2023-03"),
        ("series", {"measure": "steps", "period": "2022", "by": "hour"}, "Invalid enum value"),
        ("gaps", {"period": "2022", "skip": -1}, "Expected `int` >= 0"),
        ("history", {"kind": "all"}, "is not one of change_point, best"),
        ("models", {"month": "2022-00"}, "is not a month"),
    ],
)
def test_a_wrong_argument_is_named(
    asked: Home, name: str, given_: dict[str, object], message: str
) -> None:
    with pytest.raises(QuestionError) as caught:
        ask(asked, name, given_)
    assert message in str(caught.value)


def test_texts_of_exports_are_short_and_printable(asked: Home) -> None:
    found = answer(asked, "day", date="2023-02-05")
    assert "\x1b" not in json.dumps(found, ensure_ascii=False)
    assert HOSTILE[:20] in found["notes"][1]
    assert "\x1b" not in json.dumps(answer(asked, "history"), ensure_ascii=False)


def test_findings_are_those_of_the_month(asked: Home) -> None:
    found = answer(asked, "associations", month=MONTH)
    assert found["rows"][0]["other"] == "sleep_hours"
    assert found["rows"][0]["n"] == 300
    assert list(found["origin"][0]["data_versions"]) == [MONTH]
    (best,) = answer(asked, "history", kind="best")["rows"]
    assert best["value"] == 16_012
    assert "run `fitness backfill`" in answer(asked, "associations", month="2022-05")["notes"][0]


def test_schemas_declare_every_argument() -> None:
    for tool in TOOLS.values():
        schema = tool.schema()
        assert schema["type"] == "object"
        assert schema["additionalProperties"] is False
        assert set(schema["properties"]) == set(tool.arguments.__struct_fields__)
        assert "$ref" not in json.dumps(schema)


def test_only_one_user_is_shown_where_questions_are_limited(tmp_path: Path) -> None:
    settings = build_home(tmp_path, "bert")
    home = open_home(settings, "bert")
    assert [row[0] for row in answer(home, "people")["rows"]] == ["bert"]
    assert answer(home, "day", date="2022-05-03")["user"] == "bert"
    assert answer(home, "workouts", period=MONTH)["user"] == "bert"
    with pytest.raises(QuestionError) as caught:
        ask(home, "day", {"date": "2022-05-03", "user": USER})
    assert "there is no user called 'anna'" in str(caught.value)
    for tool in ("workouts", "training_load"):
        with pytest.raises(QuestionError, match="there is no user called 'anna'"):
            ask(home, tool, {"period": MONTH, "user": USER})
    both = open_home(settings)
    with pytest.raises(QuestionError, match="several users; name one of them: anna, bert"):
        ask(both, "day", {"date": "2022-05-03"})
    # A user who is being forgotten is not shown.
    Workspace.of(settings).pseudonyms.forget("bert")
    assert [row[0] for row in answer(open_home(settings), "people")["rows"]] == [USER]


def test_a_question_reads_a_limited_number_of_rows(
    asked: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_ROWS", 50)
    with pytest.raises(QuestionError, match="ask for fewer months"):
        ask(asked, "people", {})


def test_an_empty_home_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(QuestionError, match="run `fitness backfill`"):
        ask(open_home(settings_of(tmp_path)), "people", {})


def test_an_answer_that_fits_is_not_cut() -> None:
    small = Answer(about="a", rows=[1])
    assert fit(small, lambda _: "") == msgspec.json.encode(small)
    large = msgspec.structs.replace(small, rows=["x" * 90] * 90)
    found = json.loads(fit(large, lambda shown: f"ask from {shown}"))
    assert found["truncated"].endswith(f"ask from {len(found['rows'])}")


def test_nothing_is_written(asked: Home, asked_settings: Settings) -> None:
    def files() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in asked_settings.home.rglob("*")}

    before = files()
    for name, given_ in ASKED.items():
        ask(asked, name, given_)
    assert files() == before


def test_models_have_a_state_a_kind_and_a_reason(tmp_path: Path) -> None:
    settings = settings_of(tmp_path)
    report = ModelReport(
        window=["2023-01", MONTH],
        learned_from={"2023-01": "a", MONTH: "b"},
        released=False,
        reason="needs 60 days with kcal; there are 12. " * 20,
        gates=[CheckResult("smaller", passed=False, message="")],
        scope="personal",
    )
    stored = Workspace.of(settings).models["calorie_regressor"].save(MONTH, None, report)
    *others, row = answer(open_home(settings), "models")["rows"]
    assert {each["state"] for each in others} == {"not stored"}
    assert (row["month"], row["data_version"]) == (MONTH, stored.data_version[:12])
    assert (row["state"], row["kind"]) == ("not trained", "personal")
    assert row["learned_from"] == f"2023-01..{MONTH}"
    assert row["gates_failed"] == ["smaller"]
    assert row["reason"].startswith("needs 60 days with kcal")
    older = answer(open_home(settings), "models", month="2023-01")["rows"]
    assert {each["state"] for each in older} == {"not stored"}
