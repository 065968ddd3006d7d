"""A home of one person with an Apple Watch, a Samsung phone, a Garmin watch and WHOOP."""

from itertools import permutations
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from fitness_assets.cli.main import cli
from fitness_assets.record.raw import SLEEP_SPAN, SLEEP_STAGES, TRAITS
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.preferred import SourceOrder
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.exports import (
    USER,
    example_files,
    import_path,
    write_files,
    write_zip,
)
from fitness_assets_tests.support.platform import MakeSettings, materialize

BERLIN = ZoneInfo("Europe/Berlin")
MONTH = "2026-01"
DEVICES = ("apple_health", "samsung_health", "garmin_fit", "whoop")
#: By day, the steps of the phone and of the watch, the energy, and the variability of Apple.
APPLE = {
    "2026-01-03": (3000, 7900, 640, 51.5),
    "2026-01-04": (9000, 0, 700, 48.0),
    "2026-01-06": (100, 11_800, 910, 55.0),
}

Day = dict[str, Any]


def apple_export() -> str:
    """Active energy, steps of two devices at different times, sleep and variability."""

    def quantity(kind: str, unit: str, source: str, start: str, value: float) -> str:
        return (
            f'<Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" unit="{unit}" '
            f'startDate="{start} +0100" endDate="{start} +0100" value="{value}"/>\n'
        )

    records = ""
    for day, (phone, watch, energy, variability) in APPLE.items():
        records += quantity("StepCount", "count", "iPhone", f"{day} 08:00:00", phone)
        records += quantity("StepCount", "count", "Apple Watch", f"{day} 17:00:00", watch)
        records += quantity("ActiveEnergyBurned", "kcal", "Apple Watch", f"{day} 17:00:00", energy)
        records += quantity(
            "HeartRateVariabilitySDNN", "ms", "Apple Watch", f"{day} 05:00:00", variability
        )
        records += (
            '<Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="Apple Watch" '
            f'startDate="{day} 00:30:00 +0100" endDate="{day} 06:30:00 +0100" '
            'value="HKCategoryValueSleepAnalysisAsleepCore"/>\n'
        )
    return f"<HealthData>\n{records}</HealthData>\n"


@pytest.fixture
def exports(tmp_path: Path) -> dict[str, Path]:
    """The export of each device, as it comes: a zip or a folder."""
    apple = {"apple_health_export/export.xml": apple_export()}
    return {
        "apple_health": write_zip(tmp_path / "export.zip", apple),
        "samsung_health": write_files(tmp_path / "samsung", example_files("samsung_health")),
        "garmin_fit": write_zip(tmp_path / "garmin.zip", example_files("garmin_fit")),
        "whoop": write_files(tmp_path / "whoop", example_files("whoop")),
    }


def merged(stored: Imports) -> dict[str, Day]:
    """The known values of each day of the month; asserts that each day is there once."""
    rows = pa.Table.from_batches(list(stored.read(MONTH))).to_pylist()
    days = {
        str(row["date"]): {name: value for name, value in row.items() if value is not None}
        for row in rows
    }
    assert len(days) == len(rows)
    return days


def expected(records: dict[str, dict[str, Day]], order: tuple[str, ...]) -> dict[str, Day]:
    """The days of devices that are delivered in `order`, from the records of each device."""
    found: dict[str, Day] = {}
    for day in sorted({day for days in records.values() for day in days}):
        latest_first = [records[device].get(day, {}) for device in reversed(order)]
        of_day = found.setdefault(day, {})
        for record in latest_first:
            for name, value in record.items():
                of_day.setdefault(name, value)
        energy = [each for each in latest_first if "calories_burned" in each]
        total = [each for each in energy if each["calories_kind"] == "total"]
        for each in (total or energy)[:1]:
            of_day |= {name: each[name] for name in ("calories_burned", "calories_kind")}
        # Stages, and start and end, are of the night that the hours are of, if it has them.
        night = next((each for each in latest_first if "sleep_hours" in each), {})
        for group in (SLEEP_STAGES, SLEEP_SPAN):
            with_any = [
                each for each in [night, *latest_first] if not each.keys().isdisjoint(group)
            ]
            for name in group:
                of_day.pop(name, None)
                if with_any and name in with_any[0]:
                    of_day[name] = with_any[0][name]
    return found


def without_bookkeeping(days: dict[str, Day]) -> dict[str, Day]:
    left_out = {"user_id", "date", "source", "ingested_at", *TRAITS}
    return {
        day: {name: value for name, value in values.items() if name not in left_out}
        for day, values in days.items()
    }


def test_each_day_is_there_once_with_the_measures_of_all_devices_in_any_order(
    tmp_path: Path, exports: dict[str, Path]
) -> None:
    records = {
        device: {
            str(day): record for (_, day), record in import_path(path, zone=BERLIN).records.items()
        }
        for device, path in exports.items()
    }
    for number, order in enumerate(permutations(DEVICES)):
        stored = Imports(tmp_path / f"imports-{number}", Pseudonyms(tmp_path / "people"))
        for device in order:
            stored.add(exports[device], ImportOptions(user=USER, zone=BERLIN))
        days = merged(stored)
        assert without_bookkeeping(days) == without_bookkeeping(expected(records, order)), order
        for day, values in days.items():
            assert set(values["source"].split(", ")) <= {
                device for device in DEVICES if day in records[device]
            }
        # A declared order holds whatever was imported last, and makes the month stale.
        preferring = Imports(
            tmp_path / f"imports-{number}",
            Pseudonyms(tmp_path / "people"),
            order=SourceOrder(DEVICES),
        )
        last_first = expected(records, DEVICES[::-1])
        assert without_bookkeeping(merged(preferring)) == without_bookkeeping(last_first), order
        assert preferring.version(MONTH) != stored.version(MONTH)
    assert {"hrv_rmssd", "hrv_sdnn"} <= days["2026-01-06"].keys()


def test_the_whole_pipeline_and_what_each_day_is_from(
    make_settings: MakeSettings,
    tmp_path: Path,
    exports: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = make_settings(
        tmp_path / "home",
        FITNESS_SOURCE="exports",
        FITNESS_FIRST_MONTH=MONTH,
        FITNESS_LAST_MONTH=MONTH,
        FITNESS_TIMEZONE="Europe/Berlin",
        FITNESS_LEAST_COMPLETE="0",
    )
    workspace = Workspace.of(settings)
    stored = Imports(settings.home / "imports", Pseudonyms(settings.home / "people"))
    for device in DEVICES:
        info, _ = stored.add(exports[device], ImportOptions(user=USER, zone=BERLIN))
        assert info.sources == [device]
        assert {each.format for each in info.files} == {device}
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(settings, MONTH, instance).success

    days = merged(stored)
    lake = pa.concat_tables(map(pq.read_table, workspace.daily.files(MONTH))).to_pylist()
    assert [str(row["date"]) for row in lake] == sorted(days)
    for row in lake:
        values = days[str(row["date"])]
        for name in ("steps", "hrv_rmssd", "hrv_sdnn", "sleep_hours", "calories_burned"):
            assert row[name] == values.get(name), (row["date"], name)

    # Apple's energy is active energy, of which WHOOP and Garmin measure the total.
    assert {
        day: values["calories_kind"] for day, values in days.items() if "calories_kind" in values
    } == {
        "2026-01-03": "total",
        "2026-01-04": "active",
        "2026-01-05": "total",
        "2026-01-06": "active",
    }

    monkeypatch.setenv("FITNESS_HOME", str(settings.home))
    listed = CliRunner().invoke(cli, ["imports", USER, "--month", MONTH], catch_exceptions=False)
    columns = " ".join(listed.output.split())
    assert "2026-01-03 garmin.zip steps, distance_km, calories_burned," in columns
    assert "2026-01-03 samsung height_cm, floors 2026-01-03 export.zip hrv_sdnn" in columns
    assert "2026-01-06 export.zip steps, calories_burned, hrv_sdnn 2026-01-06 whoop" in columns


def test_an_export_that_holds_the_files_of_all_devices(
    tmp_path: Path, exports: dict[str, Path]
) -> None:
    files = {
        f"{device}/{member}": content
        for device in DEVICES[1:]
        for member, content in example_files(device).items()
    }
    path = write_zip(tmp_path / "all.zip", {"apple/export.xml": apple_export(), **files})
    stored = Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))
    info, _ = stored.add(path, ImportOptions(user=USER, zone=BERLIN))
    assert {each.format for each in info.files} == set(DEVICES)
    days = merged(stored)
    assert {name for values in days.values() for name in values["source"].split(", ")} == set(
        DEVICES
    )
    for device in DEVICES:
        alone = import_path(exports[device], zone=BERLIN)
        assert {str(day) for _, day in alone.records} <= days.keys()
