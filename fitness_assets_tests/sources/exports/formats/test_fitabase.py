from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets_tests.support.exports import import_path, write_files

DAILY = (
    "Id,ActivityDate,TotalSteps,TotalDistance,TrackerDistance,LoggedActivitiesDistance,"
    "VeryActiveDistance,ModeratelyActiveDistance,LightActiveDistance,SedentaryActiveDistance,"
    "VeryActiveMinutes,FairlyActiveMinutes,LightlyActiveMinutes,SedentaryMinutes,Calories"
)


def day(stamp: str, steps: int = 9000, sedentary: int = 700, user: str = "77") -> str:
    active = 20 if steps else 0
    return (
        f"{user},{stamp},{steps},{steps / 1400},0,0,0,0,0,0,{active},{active // 2},200,"
        f"{sedentary},{1500 + steps // 10}"
    )


def daily(*rows: str) -> str:
    return "\n".join([DAILY, *rows]) + "\n"


def test_a_day_with_every_measure(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "dailyActivity_merged.csv": daily(day("4/12/2016")),
            "sleepDay_merged.csv": "Id,SleepDay,TotalSleepRecords,TotalMinutesAsleep,"
            "TotalTimeInBed\n77,4/12/2016 12:00:00 AM,1,327,346\n",
            "weightLogInfo_merged.csv": "Id,Date,WeightKg,WeightPounds,Fat,BMI,IsManualReport,"
            "LogId\n77,4/12/2016 11:59:59 PM,52.6,115.96,22,22.65,True,1\n",
            "heartrate_seconds_merged.csv": "Id,Time,Value\n77,4/12/2016 7:21:00 AM,60\n"
            "77,4/12/2016 7:21:05 AM,62\n77,4/12/2016 7:21:00 PM,101\n",
        },
    )
    imported = import_path(tmp_path)
    assert imported.quarantined == []
    assert imported.record("2016-04-12", "77") == {
        "steps": 9000,
        "distance_km": pytest.approx(9000 / 1400, abs=1e-6),
        "calories_burned": 2400.0,
        "calories_kind": "total",
        "active_minutes": 30,
        "sedentary_minutes": 700,
        "light_minutes": 200,
        "moderate_minutes": 10,
        "vigorous_minutes": 20,
        "sleep_hours": 5.45,
        # The mean of the hourly means: two readings in the morning, one in the evening.
        "heart_rate_avg": 81.0,
        "weight_kg": 52.6,
        "source": "fitabase",
    }


@pytest.mark.parametrize(
    "stamps",
    [
        ["4/12/2016", "4/13/2016"],
        ["4/12/16", "4/13/16"],
        ["12/04/2016 0:00", "13/04/2016 0:00"],
        ["2016-04-12", "2016-04-13"],
        ["04/12/2016 00:00", "04/13/2016 23:59"],
    ],
)
def test_the_date_order_is_detected_from_the_file(tmp_path: Path, stamps: list[str]) -> None:
    write_files(tmp_path, {"dailyActivity_merged.csv": daily(*map(day, stamps))})
    assert [str(when) for _, when in import_path(tmp_path).records] == ["2016-04-12", "2016-04-13"]


def test_ambiguous_dates_are_read_as_consecutive_days(tmp_path: Path) -> None:
    stamps = [f"{number:02d}/04/2016 0:00" for number in range(1, 13)]
    write_files(tmp_path, {"dailyActivity_merged.csv": daily(*map(day, stamps))})
    days = [when for _, when in import_path(tmp_path).records]
    assert (str(min(days)), str(max(days))) == ("2016-04-01", "2016-04-12")


def test_the_date_order_is_detected_for_each_file(tmp_path: Path) -> None:
    sleep = "Id,SleepDay,TotalSleepRecords,TotalMinutesAsleep,TotalTimeInBed\n"
    write_files(
        tmp_path,
        {
            "dailyActivity_merged.csv": daily(day("4/12/16"), day("4/13/16")),
            "sleepDay_merged.csv": f"{sleep}77,12/04/2016 0:00,1,300,1\n"
            "77,13/04/2016 0:00,1,360,1\n",
        },
    )
    imported = import_path(tmp_path)
    assert len(imported.records) == 2
    assert imported.record("2016-04-13", "77")["sleep_hours"] == 6


def test_empty_rows_and_repeated_nights_are_ignored(tmp_path: Path) -> None:
    night = "77,4/12/2016 12:00:00 AM,1,300,320"
    write_files(
        tmp_path,
        {
            "dailyActivity_merged.csv": daily(day("4/12/2016"), "," * 14, "," * 14),
            "sleepDay_merged.csv": "Id,SleepDay,TotalSleepRecords,TotalMinutesAsleep,"
            f"TotalTimeInBed\n{night}\n{night}\n,,,,\n",
        },
    )
    imported = import_path(tmp_path)
    assert imported.quarantined == []
    assert len(imported.records) == 1
    assert imported.record("2016-04-12", "77")["sleep_hours"] == 5


def test_the_larger_value_of_overlapping_collection_periods_is_kept(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            "Fitabase 3.12-4.12/dailyActivity_merged.csv": daily(day("4/12/2016", 900, 300)),
            "Fitabase 4.12-5.12/dailyActivity_merged.csv": daily(day("4/12/2016", 9000, 700)),
            "Fitabase 3.12-4.12/hourlySteps_merged.csv": "Id,ActivityHour,StepTotal\n"
            "77,4/12/2016 1:00:00 AM,50\n77,4/13/2016 1:00:00 AM,50\n",
            "Fitabase 4.12-5.12/hourlySteps_merged.csv": "Id,ActivityHour,StepTotal\n"
            "77,4/12/2016 1:00:00 AM,50\n77,4/13/2016 1:00:00 AM,50\n",
        },
    )
    imported = import_path(tmp_path)
    full = imported.record("2016-04-12", "77")
    assert (full["steps"], full["sedentary_minutes"]) == (9000, 700)
    # The other day has no stated total; two files of the same hour are not added together.
    assert imported.record("2016-04-13", "77")["steps"] == 50


def test_a_day_on_which_the_device_was_not_worn_has_no_values_in_the_lake(tmp_path: Path) -> None:
    write_files(tmp_path, {"d.csv": daily(day("4/12/2016"), day("4/13/2016", 0, 1440))})
    imported = import_path(tmp_path)
    assert imported.record("2016-04-13", "77")["sedentary_minutes"] == 1440
    assert imported.lake_record("2016-04-13", "77") == {"source": "fitabase"}


def test_a_day_without_steps_but_not_wholly_sedentary_was_worn(tmp_path: Path) -> None:
    write_files(tmp_path, {"d.csv": daily(day("4/12/2016"), day("4/13/2016", 0, 900))})
    found = import_path(tmp_path).record("2016-04-13", "77")
    assert (found["steps"], found["sedentary_minutes"]) == (0, 900)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (day("4/12/2016").replace("9000", "many"), "'many' is not an amount"),
        (day("4/12/2016").replace("9000", "-3"), "'-3' is not an amount"),
        (day("4/12/2016").replace("9000", "1e999"), "'1e999' is not an amount"),
        (day("13/13/2016"), "'13/13/2016' is not a date"),
        (day("4/12/1816"), "is not a date"),
        (day("4/12/2016", user="1.50396E+09"), "Id '1.50396E+09' is not a number"),
        ("77,4/12/2016,9000", "3 values for 15 columns"),
    ],
)
def test_a_bad_row_is_quarantined_and_the_rest_is_read(
    tmp_path: Path, row: str, reason: str
) -> None:
    write_files(tmp_path, {"d.csv": daily(day("4/30/2016"), row, day("5/1/2016"))})
    imported = import_path(tmp_path)
    assert len(imported.records) == 2
    ((file, place, reported),) = imported.quarantined
    assert (file, place) == ("d.csv", "line 3")
    assert reason in reported


def test_bad_rows_beyond_the_limit_are_counted(tmp_path: Path) -> None:
    write_files(tmp_path, {"d.csv": daily(day("4/30/2016"), *["77,x"] * 1000)})
    quarantined = import_path(tmp_path).quarantined
    assert len(quarantined) == 101
    assert quarantined[-1] == ("d.csv", "", "900 more entries left out")


def test_a_file_without_ids_is_quarantined(tmp_path: Path) -> None:
    write_files(
        tmp_path, {"d_merged.csv": daily(day("4/30/2016")), "sleepDay_merged.csv": "?,SleepDay\n"}
    )
    assert import_path(tmp_path).quarantined == [
        ("sleepDay_merged.csv", "", "sleepDay_merged.csv has no column Id")
    ]


def test_a_file_without_imported_columns_is_named(tmp_path: Path) -> None:
    write_files(tmp_path, {"a.csv": "Id,ActivityHour,TotalIntensity,AverageIntensity\n77,x,1,1\n"})
    with pytest.raises(SourceError, match=r"a\.csv: nothing of it is used"):
        import_path(tmp_path / "a.csv")


def test_hours_of_sixty_columns_and_minutes_of_sleep(tmp_path: Path) -> None:
    def wide(name: str, values: list[str], stamp: str) -> str:
        names = ",".join(f"{name}{minute:02d}" for minute in range(60))
        return f"Id,ActivityHour,{names}\n77,{stamp},{','.join(values)}\n"

    stamp = "4/13/2016 8:00:00 AM"
    night = "".join(
        f"77,4/{day}/2016 {clock},{state},11\n"
        for day, clock, state in [
            (12, "11:58:30 PM", 1),
            (12, "11:59:30 PM", 2),
            (13, "12:00:30 AM", 1),
            (13, "12:01:30 AM", 3),
            (13, "12:02:30 AM", 1),
        ]
    )
    files = {
        "minuteStepsWide_merged.csv": wide("Steps", ["2"] * 60, stamp),
        "minuteCaloriesWide_merged.csv": wide("Calories", ["1.25"] * 60, stamp),
        "minuteSleep_merged.csv": f"Id,date,value,logId\n{night}",
        "minuteIntensitiesWide_merged.csv": wide("Intensity", ["1"] * 60, stamp),
    }
    imported = import_path(write_files(tmp_path, files))
    found = imported.record("2016-04-13", "77")
    assert (found["steps"], found["calories_burned"]) == (120, 75.0)
    assert found["sleep_hours"] == 0.05
    assert [file for file, _, _ in imported.quarantined] == ["minuteIntensitiesWide_merged.csv"]


def test_a_file_with_days_in_two_orders_is_quarantined(tmp_path: Path) -> None:
    mixed = daily(day("4/30/2016"), day("01/13/2016"), day("13/05/2016"))
    imported = import_path(
        write_files(tmp_path, {"a.csv": daily(day("4/12/2016")), "b.csv": mixed})
    )
    assert len(imported.records) == 1
    ((file, place, reason),) = imported.quarantined
    assert (file, place) == ("b.csv", "")
    assert reason.startswith("b.csv mixes orders of day and month: ")
