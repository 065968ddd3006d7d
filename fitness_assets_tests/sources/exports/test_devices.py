"""Several devices within a day: every format with readings by the time of day merges them alike."""

from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fitness_assets_tests.support.exports import import_path, write_files

# Device, hour and minute, and steps.
Reading = tuple[str, int, int, int]


def apple_health(readings: list[Reading]) -> dict[str, str]:
    records = "".join(
        f'<Record type="HKQuantityTypeIdentifierStepCount" sourceName="Ann\u2019s {device}" '
        f'unit="count" startDate="2023-04-02 {hour:02}:{minute:02}:00 +0000" '
        f'endDate="2023-04-02 {hour:02}:{minute + 4:02}:00 +0000" value="{steps}"/>\n'
        for device, hour, minute, steps in readings
    )
    return {"export.xml": f"<HealthData>{records}</HealthData>"}


def takeout(readings: list[Reading]) -> dict[str, str]:
    rows = "".join(
        f"2023-04-02T{hour:02}:{minute:02}:00Z,{steps},{device}\n"
        for device, hour, minute, steps in readings
    )
    return {
        "Takeout/Fitbit/Physical Activity_GoogleData/steps_2023-04-02.csv": (
            f"timestamp,steps,data source\n{rows}"
        )
    }


FORMATS: dict[str, Callable[[list[Reading]], dict[str, str]]] = {
    "apple_health": apple_health,
    "takeout": takeout,
}
DAYS: dict[str, tuple[list[Reading], int]] = {
    "the phone in the morning, the watch in the afternoon": (
        [("iPhone", 8, 10, 2100), ("Watch", 16, 20, 4300)],
        6400,
    ),
    "both count one walk": ([("iPhone", 9, 0, 7900), ("Watch", 9, 1, 7000)], 7000),
    "both count one walk, then the phone alone": (
        [("iPhone", 9, 0, 78), ("Watch", 9, 2, 4157), ("iPhone", 12, 30, 9922)],
        14_079,
    ),
    "the watch stands still": ([("iPhone", 9, 0, 900), ("Watch", 9, 1, 0)], 900),
    "the watch is put on within the hour": ([("iPhone", 9, 0, 900), ("Watch", 9, 45, 80)], 980),
}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("name", DAYS)
def test_devices_are_merged_by_the_time_of_day(tmp_path: Path, format_name: str, name: str) -> None:
    readings, expected = DAYS[name]
    for order in (readings, readings[::-1]):
        write_files(tmp_path, FORMATS[format_name](order))
        imported = import_path(tmp_path, zone=ZoneInfo("UTC"))
        assert imported.quarantined == []
        assert imported.record("2023-04-02")["steps"] == expected


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_declared_order_comes_before_the_default(tmp_path: Path, format_name: str) -> None:
    readings = [("iPhone", 9, 0, 900), ("Watch", 9, 1, 700)]
    write_files(tmp_path, FORMATS[format_name](readings))
    imported = import_path(tmp_path, zone=ZoneInfo("UTC"), source_order=("phone",))
    assert imported.record("2023-04-02")["steps"] == 900


def test_files_of_hours_and_minutes_of_one_device_are_not_added_together(tmp_path: Path) -> None:
    hours = "".join(f"7,4/2/2016 {hour}:00:00 AM,{60 * hour}\n" for hour in (8, 9, 10))
    minutes = "".join(
        f"7,4/2/2016 {hour}:{minute:02}:00 AM,{hour * 60}\n" for hour, minute in ((8, 3), (9, 50))
    )
    write_files(
        tmp_path,
        {
            "hourlySteps_merged.csv": f"Id,ActivityHour,StepTotal\n{hours}",
            "minuteStepsNarrow_merged.csv": f"Id,ActivityMinute,Steps\n{minutes}",
        },
    )
    assert import_path(tmp_path).record("2016-04-02", "7")["steps"] == 60 * (8 + 9 + 10)
