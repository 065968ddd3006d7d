"""Days that several imports have records of: any order and grouping, older imports, and origins."""

import tempfile
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitness_assets.record.raw import SCHEMA
from fitness_assets.sources import import_manifest, imports
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.storage.publication import read_manifest
from fitness_assets.storage.writer import Writer
from fitness_assets_tests.support.tidy import write_tidy

FIRST = datetime(2024, 1, 1, tzinfo=UTC)
START = date(2023, 4, 25)
MEASURES = ("steps", "sleep_hours", "calories_burned", "weight_kg")

Key = tuple[str, date]
#: The values of one file, by user and day.
Values = dict[Key, int]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def open_imports(home: Path) -> Imports:
    return Imports(home / "imports", Pseudonyms(home / "people"))


def write_measure(path: Path, measure: str, values: Values) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{user},{day},{value}" for (user, day), value in values.items()]
    path.write_text("\n".join([f"user_id,date,{measure}", *rows]) + "\n")
    return path


def lake_days(home: Path) -> dict[Key, dict[str, float]]:
    """The merged records of all months by pseudonym and day, with the known values."""
    found = {}
    stored = open_imports(home)
    for month in stored.months():
        for row in pa.Table.from_batches(stored.read(month), SCHEMA).to_pylist():
            values = {name: row[name] for name in MEASURES if row[name] is not None}
            assert (row["user_id"], row["date"]) not in found
            found[row["user_id"], row["date"]] = values
    return found


KEYS = st.tuples(
    st.sampled_from(["anna", "bert"]),
    st.integers(0, 9).map(lambda number: START + timedelta(days=number)),
)
VALUES = st.dictionaries(KEYS, st.integers(5, 20), min_size=1)


def expected_days(groups: Sequence[Sequence[tuple[str, Values]]]) -> dict[Key, dict[str, float]]:
    """The days after imports of `groups` in order, each of files of one measure."""
    days: dict[Key, dict[str, float]] = {}
    for group in groups:
        delivery: dict[Key, dict[str, float]] = {}
        for measure, values in group:
            for key, value in values.items():
                found = delivery.setdefault(key, {})
                found[measure] = max(value, found.get(measure, 0))
        for key, found in delivery.items():
            days.setdefault(key, {}).update(found)
    for user in {user for user, _ in days}:
        weight = None
        for key in sorted(key for key in days if key[0] == user):
            weight = days[key].get("weight_kg", weight)
            days[key].update({} if weight is None else {"weight_kg": weight})
    return days


@settings(max_examples=12, deadline=None)
@given(
    files=st.lists(st.tuples(st.sampled_from(MEASURES), VALUES), min_size=1, max_size=5),
    data=st.data(),
)
def test_any_order_and_grouping_of_imports_gives_the_same_days(
    files: list[tuple[str, Values]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(files))
    numbers = sorted(
        data.draw(st.lists(st.integers(0, 4), min_size=len(files), max_size=len(files)))
    )
    groups = [
        [file for file, its in zip(order, numbers, strict=True) if its == number]
        for number in sorted(set(numbers))
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder, "home")
        for number, group in enumerate(groups):
            export = Path(folder, f"export-{number}")
            for index, (measure, values) in enumerate(group):
                write_measure(export / f"{index}.csv", measure, values)
            open_imports(home).add(export, ImportOptions())
        pseudonym = Pseudonyms(home / "people").pseudonym
        found = lake_days(home)
        assert found == {
            (pseudonym(user), day): values for (user, day), values in expected_days(groups).items()
        }
        # The same exports again, in another order, change nothing.
        before = {month: open_imports(home).version(month) for month in open_imports(home).months()}
        for number in reversed(range(len(groups))):
            assert (
                open_imports(home).add(Path(folder, f"export-{number}"), ImportOptions())[1]
                == set()
            )
        assert {month: open_imports(home).version(month) for month in before} == before


def days_of(*values: int, user: str = "anna", start: date = START) -> Values:
    return {(user, start + timedelta(days=number)): value for number, value in enumerate(values)}


def add(home: Path, name: str, measure: str, values: Values) -> set[str]:
    path = write_measure(home.parent / f"{name}.csv", measure, values)
    return open_imports(home).add(path, ImportOptions())[1]


def test_a_weight_holds_in_later_months_of_its_user_only(home: Path) -> None:
    may, june = date(2023, 5, 1), date(2023, 6, 1)
    add(home, "steps", "steps", days_of(5, 6, start=may))
    add(home, "others", "steps", days_of(7, user="bert", start=june))
    assert add(home, "weight", "weight_kg", days_of(70)) == {"2023-04", "2023-05"}
    weights = [values.get("weight_kg") for _, values in sorted(lake_days(home).items())]
    assert sorted(weights, key=str) == [70, 70, 70, None]
    # A later delivery of an earlier weight wins only until the next measured one.
    add(home, "older", "weight_kg", days_of(80, start=START - timedelta(days=1)))
    user = Pseudonyms(home / "people").pseudonym("anna")
    assert lake_days(home)[user, may]["weight_kg"] == 70


def test_records_of_many_users_are_merged_in_parts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for measure in ("steps", "weight_kg"):
        values = {key: 9 for user in "abcdefg" for key in days_of(1, 2, 3, user=user)}
        add(home, measure, measure, values)
    whole = lake_days(home)
    assert len(whole) == 21
    monkeypatch.setattr("fitness_assets.sources.import_store._MAX_RECORDS", 10)
    assert lake_days(home) == whole


def test_the_origins_of_a_day_name_the_imports_of_its_values(home: Path) -> None:
    add(home, "steps", "steps", days_of(10, 20))
    add(home, "sleep", "sleep_hours", days_of(7))
    add(home, "weight", "weight_kg", days_of(70))
    stored = open_imports(home)
    names = {info.digest: info.name for info in stored.all()}
    user = Pseudonyms(home / "people").pseudonym("anna")
    found = {
        origins.day: {names[digest]: columns for digest, columns in origins.columns.items()}
        for origins in stored.origins(user, "2023-04")
    }
    assert found == {
        START: {"steps.csv": ["steps"], "sleep.csv": ["sleep_hours"], "weight.csv": ["weight_kg"]},
        START + timedelta(days=1): {"steps.csv": ["steps"], "weight.csv": ["weight_kg"]},
    }
    assert list(stored.origins("nobody", "2023-04")) == []


def test_a_forgotten_user_leaves_no_weight_behind(home: Path) -> None:
    add(home, "both", "weight_kg", days_of(70) | days_of(80, user="bert"))
    anna = Pseudonyms(home / "people").pseudonym("anna")
    open_imports(home).forget(anna)
    assert [values["weight_kg"] for values in lake_days(home).values()] == [80]
    for path in (home / "imports").rglob("*.parquet"):
        assert anna not in pq.read_table(path)["user_id"].to_pylist()


def stored_by_older_version(home: Path, drop: str, info: Mapping[str, object]) -> None:
    """Rewrite the one import below `home` without the column `drop`, with other fields of its info.

    A field with the value None is removed.
    """
    (folder,) = (path for path in (home / "imports").iterdir() if path.is_dir())
    manifest = read_manifest(folder)
    assert manifest is not None
    with Writer(folder) as writer:
        for file in manifest.files:
            path = folder / file.path
            if file.name.startswith("records-"):
                table = pq.read_table(path).drop_columns([drop])
                pq.write_table(table, writer.staging / file.name)
            elif file.name.startswith("original"):
                (writer.staging / file.name).write_bytes(path.read_bytes())
        changed = {**manifest.info, **info}
        writer.publish({key: value for key, value in changed.items() if value is not None})


VERSION_2 = {"version": 2, "reader": None, "older_reader": None, "traits_since": None}


def test_an_import_of_an_older_version_is_merged_and_read_again_when_imported_again(
    home: Path, tmp_path: Path
) -> None:
    row = "anna,2023-04-30,1000,1800,70,7,walking"
    path = write_tidy(tmp_path / "days.csv", row)
    info, _ = open_imports(home).add(path, ImportOptions(delivered=FIRST))
    assert (info.reader, info.older_reader) == (import_manifest.READER_VERSION, None)
    stored_by_older_version(home, "sleep_hours", VERSION_2)
    (old,) = open_imports(home).all()
    assert (old.reader, old.traits_since) == (1, None)
    key = (info.users[0], date(2023, 4, 30))
    assert lake_days(home)[key] == {"steps": 1000, "calories_burned": 1800}

    add(home, "steps", "steps", {("anna", key[1]): 1200})
    assert lake_days(home)[key] == {"steps": 1200, "calories_burned": 1800}

    again, changed = open_imports(home).add(path, ImportOptions())
    assert changed == {"2023-04"}
    assert again == msgspec.structs.replace(info, older_reader=1), "with its time of delivery"
    assert lake_days(home)[key] == {"steps": 1200, "calories_burned": 1800, "sleep_hours": 7}
    assert open_imports(home).add(path, ImportOptions()) == (again, set())


def test_a_format_that_learns_a_column_reads_the_same_export_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(home, "steps", "steps", days_of(10))
    assert add(home, "steps", "steps", days_of(10)) == set()
    monkeypatch.setattr(imports, "READER_VERSION", import_manifest.READER_VERSION + 1)
    assert add(home, "steps", "steps", days_of(10)) == set(), "no record changed"
    (info,) = open_imports(home).all()
    assert (info.reader, info.older_reader) == (
        import_manifest.READER_VERSION + 1,
        import_manifest.READER_VERSION,
    )


def test_a_month_has_the_optional_columns_of_its_imports(home: Path, tmp_path: Path) -> None:
    stored = open_imports(home)
    day = {("a", START): 7}
    stored.add(write_measure(tmp_path / "1" / "x.csv", "steps", day), ImportOptions())
    (plain,) = stored.read("2023-04")
    assert plain.schema.equals(SCHEMA)
    version = stored.version("2023-04")
    blank = tmp_path / "2" / "x.csv"
    blank.parent.mkdir()
    blank.write_text(f"user_id,date,steps,vo2_max\nb,{START},3,\n")
    stored.add(blank, ImportOptions())
    assert all(batch.schema.equals(SCHEMA) for batch in stored.read("2023-04"))
    stored.add(write_measure(tmp_path / "3" / "x.csv", "floors", day), ImportOptions())
    found = pa.Table.from_batches(stored.read("2023-04"))
    assert found.schema.names == [*SCHEMA.names, "floors"]
    assert sorted(row["floors"] or 0 for row in found.to_pylist()) == [0, 7]
    assert stored.version("2023-04") != version
