"""Imports of real files in any order and grouping: the lake's totals are those of the raw files."""

import csv
import json
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from fitness_assets.record import wear
from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets_tests.support.exports import USER, shared_data

#: By user and measure, the values by day.
Days = dict[tuple[str, str], dict[date, float]]

DAILY, SLEEP, WEIGHT = "dailyActivity_merged.csv", "sleepDay_merged.csv", "weightLogInfo_merged.csv"
HOURS = {"steps": "hourlySteps_merged.csv", "calories_burned": "hourlyCalories_merged.csv"}
#: Users with days not worn, with nights and with weights.
FEW_USERS = {"1503960366", "1927972279", "4319703577", "6962181067"}


def fitabase_rows(path: Path) -> Iterator[tuple[str, date, dict[str, str]]]:
    with path.open() as file:
        for row in csv.DictReader(file):
            text = next(iter(row[name] for name in row if name != "Id")).split()[0]
            month, day, year = map(int, text.split("/"))
            yield row["Id"], date(year % 100 + 2000, month, day), row


def fitabase_days(files: Sequence[Path]) -> tuple[Days, int]:
    """The days of the files, and the number of days of `DAILY` on which no device was worn."""
    folder = files[0].parent
    names = {path.name for path in files}

    def rows(name: str) -> Iterator[tuple[str, date, dict[str, str]]]:
        return fitabase_rows(folder / name) if name in names else iter(())

    found: Days = defaultdict(dict)
    not_worn = 0
    for measure, name in HOURS.items():
        for user, day, row in rows(name):
            amount = float(row["StepTotal" if measure == "steps" else "Calories"])
            found[user, measure][day] = found[user, measure].get(day, 0) + amount
    for user, day, row in rows(DAILY):
        active = float(row["VeryActiveMinutes"]) + float(row["FairlyActiveMinutes"])
        values = {
            "steps": float(row["TotalSteps"]),
            "distance_km": float(row["TotalDistance"]),
            "calories_burned": float(row["Calories"]),
            "active_minutes": active,
            "sedentary_minutes": float(row["SedentaryMinutes"]),
        }
        is_worn = values["steps"] or active or values["sedentary_minutes"] < 1440
        not_worn += not is_worn
        for measure, value in values.items():
            found[user, measure].pop(day, None)
            if is_worn:
                found[user, measure][day] = value
    for user, day, row in rows(SLEEP):
        found[user, "sleep_hours"][day] = float(row["TotalMinutesAsleep"]) / 60
    weights: dict[str, dict[date, float]] = defaultdict(dict)
    for user, day, row in rows(WEIGHT):
        weights[user][day] = max(float(row["WeightKg"]), weights[user].get(day, 0))
    # A weight holds until the next one, on each day that a file has.
    present = {(user, day) for path in files for user, day, _ in fitabase_rows(path)}
    for user, day in present:
        if earlier := [each for each in weights[user] if each <= day]:
            found[user, "weight_kg"][day] = weights[user][max(earlier)]
    return {key: days for key, days in found.items() if days}, not_worn


def imported_days(home: Path, groups: Sequence[Sequence[Path]]) -> Days:
    """What the lake holds after imports of `groups` in order, by pseudonym."""
    pseudonyms = Pseudonyms(home / "people")
    imports = Imports(home / "imports", pseudonyms)
    for number, group in enumerate(groups):
        folder = home / f"export-{number}"
        folder.mkdir(parents=True)
        for path in group:
            shutil.copy(path, folder)
        imports.add(folder, ImportOptions(user=USER, zone=ZoneInfo("America/Phoenix")))
    found: Days = defaultdict(dict)
    for month in imports.months():
        # The measures that the files have are in the columns of every file.
        batches = [batch.select(SCHEMA.names) for batch in imports.read(month)]
        records = pa.Table.from_batches(batches, SCHEMA)
        for row, not_worn in zip(records.to_pylist(), wear.not_worn(records), strict=True):
            for measure, value in row.items():
                left_out = not_worn and measure in wear.MOVEMENT
                if isinstance(value, int | float) and not left_out:
                    found[row["user_id"], measure][row["date"]] = value
    return dict(found)


def groupings(files: Sequence[Path]) -> Iterator[list[list[Path]]]:
    """Every ordered partition of `files`: the groups that are imported one after the other."""
    seen = set()
    for order in permutations(files):
        for cuts in range(1 << (len(files) - 1)):
            groups = [[order[0]]]
            for position, path in enumerate(order[1:]):
                if cuts >> position & 1:
                    groups.append([path])
                else:
                    groups[-1].append(path)
            key = tuple(frozenset(group) for group in groups)
            if key not in seen:
                seen.add(key)
                yield groups


def assert_totals(home: Path, groups: Sequence[Sequence[Path]], expected: Days) -> None:
    found = imported_days(home, groups)
    pseudonym = Pseudonyms(home / "people").pseudonym
    numbers = {key: len(values) for key, values in found.items()}
    sums = {key: sum(values.values()) for key, values in found.items()}
    named = {(pseudonym(user), measure): values for (user, measure), values in expected.items()}
    assert numbers == {key: len(values) for key, values in named.items()}
    assert sums == pytest.approx({key: sum(values.values()) for key, values in named.items()})


def of_few_users(files: Iterable[Path], folder: Path) -> list[Path]:
    """Copies of `files` with the rows of `FEW_USERS` only, as they are written."""
    folder.mkdir()
    copies = []
    for path in files:
        header, *rows = path.read_text().splitlines(keepends=True)
        kept = [row for row in rows if row.partition(",")[0] in FEW_USERS]
        copies.append(folder / path.name)
        copies[-1].write_text("".join([header, *kept]))
    return copies


@pytest.mark.parametrize("separately", [False, True])
def test_all_fitabase_users_have_the_totals_of_the_files(tmp_path: Path, separately: bool) -> None:
    files = [shared_data("fitabase") / name for name in (DAILY, WEIGHT, SLEEP)]
    expected, not_worn = fitabase_days(files)
    assert_totals(tmp_path, [[path] for path in files] if separately else [files], expected)
    steps = [sum(days.values()) for (_, name), days in expected.items() if name == "steps"]
    assert (sum(steps), not_worn) == (7_179_636, 72)
    infos = Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people")).all()
    assert sum(sum(info.not_worn.values()) for info in infos) == not_worn


def test_every_order_and_grouping_of_fitabase_files_gives_their_totals(tmp_path: Path) -> None:
    names = (DAILY, SLEEP, WEIGHT)
    files = of_few_users([shared_data("fitabase") / name for name in names], tmp_path / "files")
    expected, not_worn = fitabase_days(files)
    assert not_worn > 0
    for number, groups in enumerate(groupings(files)):
        assert_totals(tmp_path / str(number), groups, expected)
    assert number == 12


def test_hours_do_not_replace_the_totals_of_days_in_any_order_and_grouping(tmp_path: Path) -> None:
    names = (DAILY, SLEEP, WEIGHT, *HOURS.values())
    files = of_few_users([shared_data("fitabase") / name for name in names], tmp_path / "files")
    expected, _ = fitabase_days(files)
    for number, groups in enumerate(list(groupings(files))[::108]):
        assert_totals(tmp_path / str(number), groups, expected)


def garmin_days(folder: Path) -> Days:
    """Steps, energy and nights of the summaries."""
    found: Days = defaultdict(dict)
    for path in folder.glob("*.json"):
        for kind, summaries in json.loads(path.read_text()).items():
            for each in summaries:
                user = each["userId"]
                length = each["durationInSeconds"] if kind == "sleeps" else 0
                start = each["startTimeInSeconds"] + each["startTimeOffsetInSeconds"]
                day = datetime.fromtimestamp(start + length, UTC).date()
                if kind == "sleeps":
                    stages = [f"{stage}SleepDurationInSeconds" for stage in ("deep", "light")]
                    seconds = sum(each[name] for name in (*stages, "remSleepInSeconds"))
                    found[user, "sleep_hours"][day] = seconds / 3600
                elif kind != "activities":
                    found[user, "steps"][day] = each["steps"]
                    kcal = each["activeKilocalories"] + each.get("bmrKilocalories", 0)
                    found[user, "calories_burned"][day] = kcal
    return found


def google_fit_days(path: Path) -> Days:
    """Steps and energy of the file."""
    found: Days = defaultdict(dict)
    columns = {"steps": "Step count", "calories_burned": "Calories (kcal)"}
    with path.open() as file:
        for row in csv.DictReader(file):
            for measure, column in columns.items():
                if row[column]:
                    found[USER, measure][date.fromisoformat(row["Date"])] = float(row[column])
    return found


def test_exports_of_several_formats_have_their_totals_in_any_order_and_grouping(
    tmp_path: Path,
) -> None:
    garmin, google = shared_data("garmin-api"), shared_data("google-fit")
    apple, fitabase = shared_data("apple-health"), shared_data("fitabase")
    (daily,) = of_few_users([fitabase / DAILY], tmp_path / "files")
    days, _ = fitabase_days([daily])
    (whole,) = google.iterdir()
    file = tmp_path / whole.name
    file.write_text("".join(whole.read_text().splitlines(keepends=True)[:200]))
    expected = {**days, **garmin_days(garmin), **google_fit_days(file)}
    energy = dict(zip((date(2016, 11, 15), date(2016, 11, 16)), (590.252, 323.513), strict=True))
    assert not expected[USER, "calories_burned"].keys() & energy.keys()
    expected[USER, "calories_burned"] |= energy
    files = [daily, file, apple / "export.xml", *sorted(garmin.glob("*.json"))]
    orders = [[[path] for path in files], [[path] for path in reversed(files)], [files]]
    orders += [[files[4:], files[:4]]]
    for number, groups in enumerate(orders):
        found = imported_days(tmp_path / str(number), groups)
        pseudonym = Pseudonyms(tmp_path / str(number) / "people").pseudonym
        for (user, measure), values in expected.items():
            assert found[pseudonym(user), measure] == pytest.approx(values, rel=1e-5), measure
