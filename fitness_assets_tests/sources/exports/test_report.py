"""What an import says about each file: nothing is left out in silence."""

from pathlib import Path

import pytest

from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets.sources.exports.report import FileReport
from fitness_assets.sources.exports.workouts import WORKOUTS
from fitness_assets_tests.support.exports import (
    USER,
    example_files,
    import_path,
    write_files,
)

UNKNOWN = {
    "notes.txt": b"hello",
    "photo.jpg": b"\xff\xd8\xff\xe0",
    "walk.gpx": b"<gpx></gpx>",
    "mood.csv": b"when,mood\n2023-04-02,good\n",
    "empty.csv": b"",
}


def reports_of(path: Path) -> dict[str, FileReport]:
    reports: list[FileReport] = []
    options = ImportOptions(user=USER)
    for _ in read_export(path, options, lambda *_: None, report=reports.append):
        pass
    return {each.file: each for each in reports}


@pytest.mark.parametrize("name", FORMATS)
def test_the_files_of_every_format_say_what_they_filled(tmp_path: Path, name: str) -> None:
    files = example_files(name)
    path = write_files(tmp_path, files)
    reports = reports_of(path)
    assert sum(each.files for each in reports.values()) == len(files)
    assert all(each.format == name and each.records for each in reports.values())
    filled = {column for each in reports.values() for column in each.columns}
    imported = import_path(path)
    stated = {column for record in imported.records.values() for column in record}
    stated |= {WORKOUTS} if imported.workouts else set()
    # What follows from other columns, or describes the user, is not counted by file.
    derived = {"source", "calories_kind", "ingested_at", "age", "sex"}
    assert stated - derived <= filled
    assert filled <= stated


@pytest.mark.parametrize("name", FORMATS)
def test_files_of_no_format_are_named_next_to_those_of_every_format(
    tmp_path: Path, name: str
) -> None:
    path = write_files(tmp_path, {**example_files(name), **UNKNOWN})
    imported = import_path(path)
    assert {file for file, place, _ in imported.quarantined if not place} == UNKNOWN.keys()
    reports = reports_of(path)
    for file in UNKNOWN:
        assert (reports[file].format, reports[file].records, reports[file].left_out) == ("", 0, 1)
        assert reports[file].reason
    assert "(when, mood)" in reports["mood.csv"].reason


@pytest.mark.parametrize(
    "files",
    [
        {"Fitbit/altitude_2026-05-02.csv": "timestamp,gain,data source\n2026-05-02T08:00Z,3,B\n"},
        {"Fitbit/altitude-2021-03-01.json": '[{"dateTime": "03/02/21 00:00:00", '
         '"value": "9"}]'},
        {"hourlyIntensities_merged.csv": "Id,ActivityHour,TotalIntensity\n7,4/12/2016 1:00 AM,1\n"},
        {"x_sleepData.json": '[{"sleepStartTimestampGMT": "2020-01-01T22:30:00.0"}]'},
        {"Daily activity metrics.csv": "Date,Step count,Distance (m)\n2020-01-01,,\n"},
        {"days.csv": "user_id,date,steps\n"},
        {"push.json": '{"dailies": []}'},
    ],
)  # fmt: skip
def test_a_file_that_gives_nothing_is_named(tmp_path: Path, files: dict[str, str]) -> None:
    other = {"more.csv": "user_id,date,steps\n7,2023-04-02,1\n"}
    imported = import_path(write_files(tmp_path, {**files, **other}))
    ((file, place, reason),) = imported.quarantined
    assert (file, place) == (next(iter(files)), "")
    assert reason.startswith("nothing of it is used")


def test_files_that_differ_in_numbers_share_a_row(tmp_path: Path) -> None:
    files = {f"IMG_{number}.jpg": b"\xff\xd8\xff" for number in range(50)}
    files |= {
        f"d/{day}.csv": f"user_id,date,steps\n7,2023-04-{day},1\n".encode() for day in (10, 11, 12)
    }
    path = write_files(tmp_path, files)
    reports = reports_of(path)
    assert {(each.file, each.files, each.records) for each in reports.values()} == {
        ("IMG_….jpg", 50, 0),
        ("d/….csv", 3, 3),
    }
    assert import_path(path).quarantined == [
        ("IMG_0.jpg", "", "no format reads it: it is an image"),
        ("IMG_0.jpg", "", "and 49 more like it: no format reads it: it is an image"),
    ]


def test_columns_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = write_files(tmp_path, {"x.csv": "date,steps,mood\n2026-03-30,6037,fine\n"})
    assert reports_of(path)["x.csv"].reason == "columns not read: mood"
