from datetime import datetime
from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets_tests.support.exports import import_path, write_files

EXPORT = """Body
"Date","Weight","BMI","Fat"
"2019-01-01","{weight}","{bmi}","0"

Foods
"Date","Calories In"
"2019-01-01","2,100"

Activities
"Date","Calories Burned","Steps","Distance","Floors","Minutes Sedentary",\
"Minutes Lightly Active","Minutes Fairly Active","Minutes Very Active","Activity Calories"
"2019-01-01","2,468","12,345","{distance}","5","700","200","15","30","1,200"
"2019-01-02","1,500","0","0","0","1,440","0","0","0","0"
"2019-01-03","2,000","8,000","{short}","5","800","200","10","0","600"
"2019-01-04","1,500","0","0","0","1,440","0","0","0","0"

Sleep
"Start Time","End Time","Minutes Asleep","Minutes Awake","Number of Awakenings","Time in Bed",\
"Minutes REM Sleep","Minutes Light Sleep","Minutes Deep Sleep"
"2018-12-31 11:22PM","2019-01-01 7:04AM","420","40","20","460","90","250","80"
"2019-01-01 2:00PM","2019-01-01 3:00PM","55","5","1","60","N/A","N/A","N/A"
"""


def export(**values: str) -> str:
    return EXPORT.format(
        **{"weight": "70.5", "bmi": "22.3", "distance": "8.9", "short": "5.8", **values}
    )


def test_a_month_of_sections(tmp_path: Path) -> None:
    imported = import_path(write_files(tmp_path, {"anything.csv": export()}) / "anything.csv")
    assert imported.quarantined == []
    assert imported.record("2019-01-01") == {
        "steps": 12345,
        "distance_km": 8.9,
        "calories_burned": 2468.0,
        "calories_kind": "total",
        "active_minutes": 45,
        "sedentary_minutes": 700,
        # The night, on the day of waking, and a nap.
        "sleep_hours": pytest.approx(475 / 60, abs=1e-6),
        "sleep_deep": 80.0,
        "sleep_light": 250.0,
        "sleep_rem": 90.0,
        # The nap has no stages, but a time awake.
        "sleep_awake": 45.0,
        "sleep_start": datetime.fromisoformat("2018-12-31T23:22"),
        "sleep_end": datetime.fromisoformat("2019-01-01T07:04"),
        "floors": 5,
        "light_minutes": 200,
        "moderate_minutes": 15,
        "vigorous_minutes": 30,
        "weight_kg": 70.5,
        "source": "fitbit_web",
    }


def test_days_not_worn_are_kept_and_future_days_are_left_out(tmp_path: Path) -> None:
    imported = import_path(write_files(tmp_path, {"x.csv": export()}))
    assert [when.day for _, when in imported.records] == [1, 2, 3]
    assert imported.record("2019-01-02")["steps"] == 0
    assert imported.lake_record("2019-01-02") == {"source": "fitbit_web"}


def test_pounds_and_miles_are_inferred(tmp_path: Path) -> None:
    imported = import_path(
        write_files(tmp_path, {"x.csv": export(weight="155.4", distance="5.53", short="3.6")})
    )
    found = imported.record("2019-01-01")
    assert found["weight_kg"] == pytest.approx(70.5, abs=0.05)
    assert found["distance_km"] == pytest.approx(8.9, abs=0.01)


@pytest.mark.parametrize(("first", "second"), [("0", "1"), ("1", "0")])
def test_overlapping_exports_are_not_added_together(
    tmp_path: Path, first: str, second: str
) -> None:
    complete, partial = export(), export().replace('"12,345"', '"1,345"')
    imported = import_path(
        write_files(tmp_path, {f"{first}.csv": complete, f"{second}.csv": partial})
    )
    found = imported.record("2019-01-01")
    assert found["steps"] == 12345
    assert found["sleep_hours"] == pytest.approx(475 / 60, abs=1e-6)


def test_day_first_dates_are_detected(tmp_path: Path) -> None:
    text = export()
    for day in range(1, 5):
        text = text.replace(f"2019-01-0{day}", f"{day + 20}-01-2019")
    imported = import_path(
        write_files(tmp_path, {"x.csv": text.replace("2018-12-31", "20-01-2019")})
    )
    assert imported.record("2019-01-21")["steps"] == 12345


def test_a_section_without_its_date_column_is_quarantined(tmp_path: Path) -> None:
    good, bad = export(), export().replace('"Start Time",', '"Started",')
    imported = import_path(write_files(tmp_path, {"a.csv": good, "b.csv": bad}))
    assert imported.quarantined == [("b.csv", "", "b.csv, line 17: Sleep has no column Start Time")]
    assert imported.record("2019-01-01")["steps"] == 12345


def test_a_bad_row_is_quarantined_and_the_rest_is_read(tmp_path: Path) -> None:
    text = export().replace('"12,345"', '"many"').replace('"2019-01-01 7:04AM"', '"late"')
    imported = import_path(write_files(tmp_path, {"x.csv": text}))
    assert imported.quarantined == [
        ("x.csv", "line 11", "'many' is not an amount"),
        ("x.csv", "line 18", "'late' is not a date"),
    ]
    assert imported.record("2019-01-03")["steps"] == 8000


@pytest.mark.parametrize(
    ("weight", "bmi"), [("73.0", "23.84"), ("160.9", "23.84"), ("11.5", "23.84"), ("11,5", "23,84")]
)
def test_the_unit_of_the_weight_is_that_of_the_account(
    tmp_path: Path, weight: str, bmi: str
) -> None:
    body = f"Body;\nDate;Weight;BMI;Fat\n2019-01-01;{weight};{bmi};0\n2019-01-02;{weight};0;0\n"
    imported = import_path(write_files(tmp_path, {"x.csv": body}))
    assert imported.quarantined == []
    for day in ("2019-01-01", "2019-01-02"):
        assert imported.record(day)["weight_kg"] == pytest.approx(73.0, abs=0.05)


def test_a_weight_of_unknown_unit_is_quarantined(tmp_path: Path) -> None:
    text = export().replace('"22.3"', '"0"')
    imported = import_path(write_files(tmp_path, {"x.csv": text}))
    ((_, place, reason),) = imported.quarantined
    assert place == "line 3"
    assert "the unit of the weight cannot be inferred" in reason
    assert "weight_kg" not in imported.record("2019-01-01")


def test_an_account_with_decimal_commas(tmp_path: Path) -> None:
    text = (
        "Activities\nDate,Calories Burned,Steps,Distance,Minutes Sedentary,Minutes Fairly Active,"
        "Minutes Very Active\n"
        '"2021-05-03","2.468","11.204","7,9","1.012","12","25"\n'
        '"2021-05-04","2.001","9.350","6,431","998","0","5"\n'
    )
    found = import_path(write_files(tmp_path, {"x.csv": text}))
    first, second = found.record("2021-05-03"), found.record("2021-05-04")
    assert (first["steps"], first["distance_km"], first["sedentary_minutes"]) == (11204, 7.9, 1012)
    assert (second["steps"], second["calories_burned"]) == (9350, 2001.0)
    assert second["distance_km"] == 6.431


def test_an_account_that_mixes_decimal_signs_is_refused(tmp_path: Path) -> None:
    text = export().replace('"12,345"', '"12,34"')
    with pytest.raises(SourceError, match=r"x\.csv mixes decimal signs"):
        import_path(write_files(tmp_path, {"x.csv": text}))
