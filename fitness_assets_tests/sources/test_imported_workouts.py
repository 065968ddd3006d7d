"""Workouts of imports: by month and pseudonym, forgotten, of older versions, and read again."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fitness_assets.errors import ForgottenUserError
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.import_store import replace_info, stored_imports
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import Traces
from fitness_assets_tests.support.exports import example_files, write_files
from fitness_assets_tests.support.whoop import write_workouts

DELIVERED = datetime(2024, 1, 1, tzinfo=UTC)
RUN = "2023-04-30 23:30:00,42,Running,455,171,148,6200"
WALK = "2023-05-02 12:30:00,30,Walking,130,,,"
SHORT = "2023-05-02 18:30:00,25,Running,230,,,"
OTHER = "2023-05-03 12:30:00,20,,,,,"


@pytest.fixture
def pseudonyms(tmp_path: Path) -> Pseudonyms:
    return Pseudonyms(tmp_path / "people")


@pytest.fixture
def imports(tmp_path: Path, pseudonyms: Pseudonyms) -> Imports:
    return Imports(tmp_path / "imports", pseudonyms)


def rows(imports: Imports, month: str) -> list[dict[str, Any]]:
    return [row for batch in imports.read_workouts(month) for row in batch.to_pylist()]


def test_workouts_are_stored_by_the_month_of_their_local_start(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms
) -> None:
    path = write_workouts(tmp_path / "workouts.csv", RUN, WALK, OTHER)
    info, changed = imports.add(path, ImportOptions(user="anna", delivered=DELIVERED))
    assert changed == {"2023-04", "2023-05"}
    assert info.workouts == {"2023-04": 1, "2023-05": 2}
    anna = pseudonyms.pseudonym("anna")
    assert info.users == [anna]
    assert rows(imports, "2023-04") == [
        {
            "user_id": anna,
            "start": datetime(2023, 4, 30, 22, 30, tzinfo=UTC),
            "local_start": datetime.fromisoformat("2023-04-30T23:30"),
            "activity": "running",
            "minutes": 42.0,
            "distance_km": 6.2,
            "calories_burned": 455.0,
            "heart_rate_avg": 148.0,
            "heart_rate_max": 171.0,
            "source": "whoop",
            "ingested_at": DELIVERED,
        }
    ]
    assert [row["activity"] for row in rows(imports, "2023-05")] == ["walking", None]
    assert rows(imports, "2023-06") == []
    # Each day with a workout has a record, so that its month is known.
    days = [row for batch in imports.read("2023-05") for row in batch.to_pylist()]
    assert [(row["date"], row["activity_type"]) for row in days] == [
        (date(2023, 5, 2), "walking"),
        (date(2023, 5, 3), None),
    ]


@pytest.mark.parametrize("days_first", [True, False])
def test_the_longest_workout_is_the_activity_of_a_day_without_a_label(
    tmp_path: Path, imports: Imports, days_first: bool
) -> None:
    days = tmp_path / "days.csv"
    days.write_text(
        "user_id,date,steps,activity_type\nanna,2023-05-02,9000,\nanna,2023-05-03,4000,Yoga\n"
    )
    workouts = write_workouts(tmp_path / "workouts.csv", WALK, SHORT)
    both = [(days, ImportOptions()), (workouts, ImportOptions(user="anna"))]
    for path, options in both if days_first else reversed(both):
        imports.add(path, options)
    found = [row for batch in imports.read("2023-05") for row in batch.to_pylist()]
    assert [(row["steps"], row["activity_type"]) for row in found] == [
        (9000, "walking"),
        (4000, "yoga"),
    ]


def test_only_months_whose_workouts_changed_have_another_version(
    tmp_path: Path, imports: Imports
) -> None:
    options = ImportOptions(user="anna", delivered=DELIVERED)
    imports.add(write_workouts(tmp_path / "1.csv", RUN, WALK), options)
    months = ("2023-04", "2023-05", "2023-06")
    before = {month: imports.workouts_version(month) for month in months}
    days = {month: imports.version(month) for month in months}
    longer = WALK.replace("130", "131")
    _, changed = imports.add(write_workouts(tmp_path / "2.csv", longer), options)
    assert changed == {"2023-05"}
    after = {month: imports.workouts_version(month) for month in months}
    assert {month for month in months if before[month] != after[month]} == {"2023-05"}
    assert {month for month in months if days[month] != imports.version(month)} == {"2023-05"}


def test_implausible_numbers_of_workouts_are_reported(tmp_path: Path, imports: Imports) -> None:
    long = "2023-05-03 12:30:00,9999,Walking,130,20,,"
    info, _ = imports.add(write_workouts(tmp_path / "w.csv", long), ImportOptions(user="anna"))
    (user,) = info.users
    place = f"{user}, 2023-05-03 12:30:00"
    assert [(entry.file, entry.place, entry.reason) for entry in info.quarantined] == [
        ("whoop", place, "minutes is 9999, not in 0 to 2,880: the workout is not in the lake"),
        ("whoop", place, "heart_rate_max is 20, not in 30 to 240: null in the lake"),
    ]


def test_an_import_without_a_forgotten_user_is_as_if_it_never_held_their_workouts(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms
) -> None:
    files = example_files("garmin_api")
    push = files["activities.json"].decode()
    both = {"a.json": push, "b.json": push.replace("u-1", "corbin").replace("12,", "13,")}
    options = ImportOptions(delivered=DELIVERED)
    info, _ = imports.add(write_files(tmp_path / "both", both), options)
    assert len(info.users) == 2
    alone = Imports(tmp_path / "alone", pseudonyms)
    alone.add(write_files(tmp_path / "one", {"a.json": push}), options)
    user = pseudonyms.pseudonym("corbin")
    imports.forget(user, traces=Traces([user], ["corbin"]))
    assert list(search(tmp_path / "imports", Traces([user], ["corbin"]))) == []
    assert imports.workouts_version("2020-01") == alone.workouts_version("2020-01")
    assert rows(imports, "2020-01") == rows(alone, "2020-01")
    assert imports.all()[0].workouts == {"2020-01": 1}

    pseudonyms.forget(user)
    later = imports.add(write_files(tmp_path / "again", {**both, "c.json": push}), options)[0]
    assert later.users == [pseudonyms.pseudonym("u-1")]
    assert {row["user_id"] for row in rows(imports, "2020-01")} == set(later.users)


def test_workouts_of_a_forgotten_user_are_not_imported(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms
) -> None:
    pseudonyms.forget(pseudonyms.pseudonym("anna"))
    with pytest.raises(ForgottenUserError):
        imports.add(write_workouts(tmp_path / "w.csv", RUN), ImportOptions(user="anna"))
    assert imports.all() == []


def test_an_import_of_an_older_version_has_none_until_it_is_imported_again(
    tmp_path: Path, imports: Imports
) -> None:
    path = write_workouts(tmp_path / "w.csv", RUN)
    options = ImportOptions(user="anna", delivered=DELIVERED)
    info, _ = imports.add(path, options)
    version = imports.workouts_version("2023-04")
    (stored,) = stored_imports(tmp_path / "imports")
    for file in stored.folder.glob("**/workouts-*"):
        file.unlink()
    files = tuple(file for file in stored.manifest.files if "workouts" not in file.name)
    manifest = msgspec.structs.replace(stored.manifest, files=files)
    older = msgspec.structs.replace(info, workouts={}, reader=3, version=3)
    replace_info(type(stored)(stored.folder, manifest, older), older)
    assert rows(imports, "2023-04") == []
    assert imports.workouts_version("2023-04") == imports.workouts_version("2023-05") != version
    again, changed = imports.add(path, ImportOptions(user="anna"))
    assert changed == {"2023-04"}
    assert (again.workouts, again.older_reader, again.delivered) == ({"2023-04": 1}, 3, DELIVERED)
    assert imports.workouts_version("2023-04") == version
