import gc
import tracemalloc
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.formats.apple_health import nights
from fitness_assets_tests.support.exports import USER, pack, put, take

DTD = """<!DOCTYPE HealthData [
<!-- HealthKit Export Version: 12 -->
<!ELEMENT HealthData (ExportDate,Me,(Record|Workout)*)>
<!ATTLIST HealthData
  locale CDATA #REQUIRED
>
]>
"""
ME = (
    '<Me HKCharacteristicTypeIdentifierDateOfBirth="1990-04-03" '
    'HKCharacteristicTypeIdentifierBiologicalSex="HKBiologicalSexFemale"/>'
)
WATCH, PHONE = "A\u2019s Watch", "A\u2019s iPhone"


def export(*elements: str, dtd: str = DTD) -> str:
    body = "\n".join(elements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}<HealthData locale="en_GB">\n'
        f"{body}\n</HealthData>\n"
    )


def record(
    kind: str,
    value: float | str,
    unit: str,
    start: str = "2023-04-02 10:00:00 +0100",
    source: str = WATCH,
) -> str:
    return (
        f'<Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" sourceVersion="9" '
        f'device="&lt;&lt;HKDevice: 0x2&gt;, name:Apple Watch&gt;" unit="{unit}" '
        f'creationDate="{start}" startDate="{start}" endDate="{start}" value="{value}"/>'
    )


def asleep(start: str, end: str, stage: str = "AsleepCore", source: str = WATCH) -> str:
    return (
        f'<Record type="HKCategoryTypeIdentifierSleepAnalysis" sourceName="{source}" '
        f'startDate="{start}" endDate="{end}" value="HKCategoryValueSleepAnalysis{stage}"/>'
    )


def workout(kind: str, duration: float, unit: str) -> str:
    return (
        f'<Workout workoutActivityType="HKWorkoutActivityType{kind}" duration="{duration}" '
        f'durationUnit="{unit}" startDate="2023-04-02 18:00:00 +0100" '
        'endDate="2023-04-02 18:45:00 +0100"><MetadataEntry key="a" value="b"/></Workout>'
    )


def write(tmp_path: Path, *elements: str, dtd: str = DTD) -> Path:
    return put(tmp_path, {"export.xml": export(*elements, dtd=dtd)}) / "export.xml"


def test_a_day_of_an_export_zip(tmp_path: Path) -> None:
    elements = [
        '<ExportDate value="2023-05-01 10:36:11 +0100"/>',
        ME,
        record("StepCount", 4000, "count"),
        record("StepCount", 1000, "count"),
        record("HeartRate", 60, "count/min", "2023-04-02 09:00:00 +0100"),
        record("HeartRate", 62, "count/min", "2023-04-02 09:30:00 +0100"),
        record("HeartRate", 2, "count/s", "2023-04-02 18:00:00 +0100"),
        record("RestingHeartRate", 55, "count/min"),
        record("ActiveEnergyBurned", 500, "kcal"),
        record("BasalEnergyBurned", 1500, "Cal"),
        record("DistanceWalkingRunning", 3.5, "km"),
        record("AppleExerciseTime", 25, "min"),
        record("BodyMass", 154.32, "lb"),
        record("Height", 170, "cm"),
        record("OxygenSaturation", 0.97, "%"),
        asleep("2023-04-01 23:00:00 +0100", "2023-04-02 06:30:00 +0100"),
        workout("TraditionalStrengthTraining", 45, "min"),
        workout("Running", 0.5, "hr"),
    ]
    path = pack(
        tmp_path / "export.zip",
        {
            "apple_health_export/export_cda.xml": "<ClinicalDocument/>",
            "apple_health_export/exportación.xml": export(*elements),
            "apple_health_export/workout-routes/route.gpx": "<gpx><trkpt lat='1' lon='2'/></gpx>",
        },
    )
    imported = take(path)
    assert imported.refused == []
    made = imported.of("2023-04-02").pop("ingested_at")
    assert made == datetime.fromisoformat("2023-05-01T10:36:11+01:00")
    assert list(imported.days) == [(USER, date(2023, 4, 2))]
    assert imported.of("2023-04-02") == {
        "steps": 5000,
        "distance_km": 3.5,
        "calories_burned": 2000.0,
        "calories_kind": "total",
        "heart_rate_avg": 90.5,
        "resting_heart_rate": 55.0,
        "active_minutes": 25,
        "sleep_hours": 7.5,
        "activity_type": "gym_workout",
        # Her birthday is tomorrow.
        "age": 32,
        "sex": "female",
        "height_cm": 170.0,
        "weight_kg": pytest.approx(70, abs=0.01),
        "source": "apple_health",
    }


def test_phone_and_watch_count_the_same_steps(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("StepCount", 3000, "count"),
        record("StepCount", 2500, "count", source=PHONE),
        record("StepCount", 400, "count"),
        record("DistanceWalkingRunning", 2, "km", source=PHONE),
        record("DistanceWalkingRunning", 1.5, "km"),
    )
    found = take(path).of("2023-04-02")
    assert (found["steps"], found["distance_km"]) == (3400, 2)


@pytest.mark.parametrize(
    ("kind", "unit", "column", "value"),
    [
        ("DistanceWalkingRunning", "mi", "distance_km", 16.09344),
        ("DistanceWalkingRunning", "m", "distance_km", 0.01),
        ("ActiveEnergyBurned", "kJ", "calories_burned", 2.390057),
        ("ActiveEnergyBurned", "kcal", "calories_burned", 10.0),
        ("AppleExerciseTime", "hr", "active_minutes", 600),
        ("BodyMass", "kg", "weight_kg", 10.0),
        ("Height", "m", "height_cm", 1000.0),
    ],
)
def test_units_are_trusted(tmp_path: Path, kind: str, unit: str, column: str, value: float) -> None:
    found = take(write(tmp_path, record(kind, 10, unit))).of("2023-04-02")
    assert found[column] == value


def test_an_unknown_unit_is_told_of_once(tmp_path: Path) -> None:
    furlongs = record("DistanceWalkingRunning", 10, "furlong")
    imported = take(write(tmp_path, record("StepCount", 10, "count"), furlongs, furlongs))
    ((_, place, reason),) = imported.refused
    assert place == "line 11"
    assert "DistanceWalkingRunning in furlong, of which none is read" in reason


def test_active_energy_alone_is_called_active(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("ActiveEnergyBurned", 500, "kcal"),
        '<ActivitySummary dateComponents="2023-04-03" activeEnergyBurned="590.25" '
        'activeEnergyBurnedUnit="Cal" appleExerciseTime="31"/>',
        '<ActivitySummary dateComponents="2023-04-04" activeEnergyBurned="0" '
        'activeEnergyBurnedUnit="kcal" appleExerciseTime="0"/>',
    )
    imported = take(path)
    assert imported.of("2023-04-02")["calories_kind"] == "active"
    assert imported.of("2023-04-03")["calories_burned"] == 590.25
    assert imported.of("2023-04-03")["active_minutes"] == 31
    assert len(imported.days) == 2


def test_a_stamp_is_of_the_day_that_it_shows_wherever_the_person_was(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("StepCount", 10, "count", "2023-04-02 23:30:00 -0700"),
        record("StepCount", 20, "count", "2023-04-03 00:30:00 +0900"),
        record("StepCount", 40, "count", "2023-03-26 02:30:00 +0100"),
    )
    imported = take(path)
    assert {str(when): found["steps"] for (_, when), found in imported.days.items()} == {
        "2023-03-26": 40,
        "2023-04-02": 10,
        "2023-04-03": 20,
    }


def test_sleep_is_of_the_day_of_waking_and_counts_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        # The night as one, its stages, and the phone's guess at the same.
        asleep("2023-04-01 22:00:00 +0100", "2023-04-02 06:00:00 +0100", "InBed"),
        asleep("2023-04-01 22:30:00 +0100", "2023-04-02 05:30:00 +0100", "AsleepUnspecified"),
        asleep("2023-04-01 22:30:00 +0100", "2023-04-01 23:30:00 +0100", "AsleepDeep"),
        asleep("2023-04-01 23:30:00 +0100", "2023-04-02 05:30:00 +0100", "AsleepREM"),
        asleep("2023-04-02 02:00:00 +0100", "2023-04-02 02:10:00 +0100", "Awake"),
        asleep("2023-04-01 23:00:00 +0100", "2023-04-02 05:00:00 +0100", "Asleep", PHONE),
        # A nap.
        asleep("2023-04-02 14:00:00 +0100", "2023-04-02 14:30:00 +0100", "AsleepCore"),
        # Asleep before midnight, and woken after it elsewhere.
        asleep("2023-04-03 20:00:00 +0100", "2023-04-04 01:00:00 +0300", "AsleepCore"),
    )
    imported = take(path)
    assert imported.of("2023-04-02")["sleep_hours"] == 7.5
    assert imported.of("2023-04-04")["sleep_hours"] == 3
    assert len(imported.days) == 2


@given(
    cuts=st.lists(st.integers(0, 8 * 60), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_a_night_in_pieces_is_as_long_as_it_was(cuts: list[int], order: object) -> None:
    whole = (0.0, 8 * 3600.0, True, date(2023, 4, 2))
    edges = sorted({0, 8 * 60, *cuts})
    pieces = [
        (begin * 60.0, end * 60.0, True, date(2023, 4, 1 if end < 120 else 2))
        for begin, end in pairwise(edges)
    ]
    order.shuffle(pieces)  # type: ignore[attr-defined]
    for intervals in (pieces, [*pieces, whole], [*pieces, *pieces]):
        ((day, hours),) = nights(intervals)
        assert day == date(2023, 4, 2)
        assert hours == pytest.approx(8)


def test_wrong_declarations_and_control_characters_do_not_matter(tmp_path: Path) -> None:
    broken = (
        "<!DOCTYPE HealthData [\n<!ATTLIST VisionPrescription\n  type CDATA #REQUIRED\n"
        "  brand CDATA #IMPLIED\n<!ELEMENT RightEye EMPTY>\n]>\n"
    )
    path = write(
        tmp_path,
        record("StepCount", 10, "count", source="A\x0bB"),
        record("StepCount", "some", "count"),
        dtd=broken,
    )
    imported = take(path)
    assert imported.of("2023-04-02")["steps"] == 10
    # Lines are counted as in the file.
    assert imported.refused == [("export.xml", "line 10", "'some' is not an amount")]


def test_entities_do_not_expand(tmp_path: Path) -> None:
    laughs = "".join(
        f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">\n' if i else '<!ENTITY l0 "lol">\n'
        for i in range(10)
    )
    dtd = f"<!DOCTYPE HealthData [\n{laughs}]>\n"
    outside = '<!DOCTYPE HealthData [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    for text in (
        export(record("StepCount", "&l9;", "count"), dtd=dtd),
        export(record("StepCount", "&x;", "count"), dtd=outside),
        export(record("StepCount", "&l9;", "count"), dtd="<!-- -->" * 200_000 + dtd),
        export("<Text>&l9;</Text>", dtd=dtd),
    ):
        put(tmp_path, {"export.xml": text})
        with pytest.raises(SourceError, match=r"export\.xml"):
            take(tmp_path / "export.xml")


@pytest.mark.parametrize(
    "text",
    [
        "<HealthData>" + "<a>" * 2_000_000,
        '<HealthData><Record type="' + "x" * 12_000_000 + '"/></HealthData>',
    ],
)
def test_what_no_phone_writes_does_not_fill_the_memory(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"export.xml": text})
    with pytest.raises(SourceError, match="no phone writes this"):
        take(tmp_path / "export.xml")


def test_records_are_not_kept(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        path = write(tmp_path, *[record("StepCount", 1, "count")] * records)
        assert path.stat().st_size > 280 * records
        gc.collect()
        tracemalloc.start()
        try:
            found = take(path).of("2023-04-02")
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found["steps"] == records
        return most

    peak(1_000)  # takes what is kept between exports: imports, and compiled expressions
    # Either is longer than two of the reader's buffers, which may be held at once.
    assert peak(25_000) - peak(10_000) < 1_000_000


def test_an_export_that_is_cut_short_gives_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, record("StepCount", 10, "count"))
    path.write_text(path.read_text()[:-30])
    with pytest.raises(SourceError, match=r"export\.xml cannot be read as XML: .* line"):
        take(path)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (record("StepCount", "nan", "count"), "'nan' is not an amount"),
        (record("StepCount", -1, "count"), "'-1' is not an amount"),
        (record("StepCount", 1, "count", "yesterday"), "'yesterday' is not a date"),
        (
            record("HeartRate", 60, "count/min", "2023-04-02 77:00"),
            "'2023-04-02 77' is not a stamp",
        ),
        (record("HeartRate", 60, "count/min", "2023-04-02"), "'2023-04-02' is not a stamp"),
        ('<Record type="HKQuantityTypeIdentifierStepCount" unit="count"/>', "no startDate"),
        (asleep("2023-04-02 02:00:00 +0100", "2023-04-02 01:00:00 +0100"), "before it begins"),
        (asleep("2023-04-02 02:00:00", "2023-04-02 03:00:00"), "has no offset"),
        ("<Workout/>", "Workout has no startDate"),
        ('<ActivitySummary dateComponents="x"/>', "'x' is not a date"),
        ('<Me HKCharacteristicTypeIdentifierDateOfBirth="old"/>', "Invalid isoformat"),
    ],
)
def test_a_bad_record_is_told_of_and_the_rest_goes_on(
    tmp_path: Path, element: str, reason: str
) -> None:
    imported = take(write(tmp_path, element, record("StepCount", 10, "count")))
    assert imported.of("2023-04-02")["steps"] == 10
    ((file, place, told),) = imported.refused
    assert (file, place) == ("export.xml", "line 10")
    assert reason in told


def test_two_exports_of_one_phone_do_not_add_up(tmp_path: Path) -> None:
    made = '<ExportDate value="2023-0{}-01 10:00:00 +0000"/>'
    put(
        tmp_path,
        {
            "old.xml": export(made.format(5), record("StepCount", 10, "count")),
            "new.xml": export(
                made.format(6), record("StepCount", 10, "count"), record("StepCount", 5, "count")
            ),
        },
    )
    for name in ("old", "new"):
        text = (tmp_path / f"{name}.xml").read_text()
        pack(tmp_path / f"{name}.zip", {"apple_health_export/export.xml": text})
    found = take(tmp_path).of("2023-04-02")
    assert found["steps"] == 15
    assert found["ingested_at"].month == 6
