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
from fitness_assets.sources.preferred import SourceOrder
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


def strava(path: Path, *rows: str) -> Path:
    """Activities of Strava, each as ``date and time,type,seconds,metres``."""
    path.mkdir(parents=True, exist_ok=True)
    lines = []
    for number, row in enumerate(rows):
        when, kind, seconds, metres = row.rsplit(",", 3)
        lines.append(
            f'{number},"{when}",{kind},{seconds},{int(metres) / 1000},x,{seconds}.0,{seconds}.0,'
            f"{metres}.0"
        )
    header = (
        "Activity ID,Activity Date,Activity Type,Elapsed Time,Distance,Filename,Elapsed Time,"
        "Moving Time,Distance"
    )
    file = path / "activities.csv"
    file.write_text("\n".join([header, *lines]) + "\n")
    return file


def activities(imports: Imports) -> dict[int, str | None]:
    found = [row for batch in imports.read("2023-05") for row in batch.to_pylist()]
    return {row["date"].day: row["activity_type"] for row in found}


#: A hike of three hours on 2 May, and the walk of WHOOP on the same day as Strava has it, longer.
HIKE = "May 2, 2023, 2:00:00 PM,Hike,10800,14000"
AGAIN = "May 2, 2023, 11:29:00 AM,Run,2400,3000"


@pytest.mark.parametrize("whoop_first", [True, False])
def test_the_activity_of_a_day_is_that_of_the_longest_workout_of_any_import(
    tmp_path: Path, imports: Imports, whoop_first: bool
) -> None:
    whoop = write_workouts(tmp_path / "workouts.csv", WALK, OTHER)
    both = [whoop, strava(tmp_path / "strava", HIKE)]
    for month, path in enumerate(both if whoop_first else both[::-1], 1):
        imports.add(path, ImportOptions(user="anna", delivered=DELIVERED.replace(month=month)))
    assert activities(imports) == {2: "hiking", 3: None}
    first, *_ = [row for batch in imports.read("2023-05") for row in batch.to_pylist()]
    assert first["source"] == "strava", "no other value of the day is used"


def test_a_workout_of_two_devices_gives_one_activity_and_a_later_stated_one_stays(
    tmp_path: Path, imports: Imports
) -> None:
    def add(path: Path, month: int, user: str | None = "anna") -> None:
        imports.add(path, ImportOptions(user=user, delivered=DELIVERED.replace(month=month)))

    # Strava calls the walk a run and is longer, but WHOOP knows more of it: it is a walk.
    known = WALK.replace(",,,", ",121,104,2400")
    add(strava(tmp_path / "strava", AGAIN), 2)
    add(write_workouts(tmp_path / "1.csv", known), 1)
    assert activities(imports) == {2: "walking"}
    # A corrected export, with a shorter hike in place of the walk.
    add(write_workouts(tmp_path / "2.csv", known.replace("30,Walking", "28,Hiking")), 3)
    assert activities(imports) == {2: "hiking"}
    days = tmp_path / "days.csv"
    days.write_text("user_id,date,activity_type\nanna,2023-05-02,Yoga\n")
    add(days, 4, None)
    assert activities(imports) == {2: "yoga"}


def test_an_order_of_sources_decides_the_activity_too(
    tmp_path: Path, imports: Imports, pseudonyms: Pseudonyms
) -> None:
    options = ImportOptions(user="anna", delivered=DELIVERED)
    imports.add(write_workouts(tmp_path / "workouts.csv", WALK), options)
    imports.add(strava(tmp_path / "strava", HIKE), options)
    for entry in ("whoop", "activity_type:whoop"):
        ordered = Imports(tmp_path / "imports", pseudonyms, order=SourceOrder((entry,)))
        assert activities(ordered) == {2: "walking"}
    other = Imports(tmp_path / "imports", pseudonyms, order=SourceOrder(("sleep_hours:whoop",)))
    assert activities(other) == {2: "hiking"}


def test_days_depend_on_workouts_only_where_several_imports_have_some(
    tmp_path: Path, imports: Imports
) -> None:
    options = ImportOptions(user="anna", delivered=DELIVERED)
    imports.add(write_workouts(tmp_path / "workouts.csv", RUN, WALK), options)
    april = imports.version("2023-04")
    _, changed = imports.add(strava(tmp_path / "strava", HIKE), options)
    assert changed == {"2023-05"}
    assert imports.version("2023-04") == april


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
