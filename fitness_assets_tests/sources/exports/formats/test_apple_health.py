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
from fitness_assets_tests.support.exports import USER, import_path, write_files, write_zip

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
    return write_files(tmp_path, {"export.xml": export(*elements, dtd=dtd)}) / "export.xml"


def test_a_day_with_every_measure(tmp_path: Path) -> None:
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
    path = write_zip(
        tmp_path / "export.zip",
        {
            "apple_health_export/export_cda.xml": "<ClinicalDocument/>",
            "apple_health_export/exportación.xml": export(*elements),
            "apple_health_export/workout-routes/route.gpx": "<gpx><trkpt lat='1' lon='2'/></gpx>",
        },
    )
    imported = import_path(path)
    assert {place for _, place, _ in imported.quarantined} == {""}
    assert [file.rpartition("/")[2] for file, _, _ in imported.quarantined] == [
        "export_cda.xml",
        "route.gpx",
    ]
    ingested_at = imported.record("2023-04-02").pop("ingested_at")
    assert ingested_at == datetime.fromisoformat("2023-05-01T10:36:11+01:00")
    assert list(imported.records) == [(USER, date(2023, 4, 2))]
    assert imported.record("2023-04-02") == {
        "steps": 5000,
        "distance_km": 3.5,
        "calories_burned": 2000.0,
        "calories_kind": "total",
        "heart_rate_avg": 90.5,
        "resting_heart_rate": 55.0,
        "active_minutes": 25,
        "sleep_hours": 7.5,
        "activity_type": "gym_workout",
        # The birthday is on the next day.
        "age": 32,
        "sex": "female",
        "height_cm": 170.0,
        "weight_kg": pytest.approx(70, abs=0.01),
        "source": "apple_health",
    }


def test_steps_of_phone_and_watch_are_not_added_together(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("StepCount", 3000, "count"),
        record("StepCount", 2500, "count", source=PHONE),
        record("StepCount", 400, "count"),
        record("DistanceWalkingRunning", 2, "km", source=PHONE),
        record("DistanceWalkingRunning", 1.5, "km"),
    )
    found = import_path(path).record("2023-04-02")
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
def test_units_are_converted(
    tmp_path: Path, kind: str, unit: str, column: str, value: float
) -> None:
    found = import_path(write(tmp_path, record(kind, 10, unit))).record("2023-04-02")
    assert found[column] == value


def test_an_unknown_unit_is_reported_once(tmp_path: Path) -> None:
    furlongs = record("DistanceWalkingRunning", 10, "furlong")
    imported = import_path(write(tmp_path, record("StepCount", 10, "count"), furlongs, furlongs))
    ((_, place, reason),) = imported.quarantined
    assert place == "line 11"
    assert (
        "DistanceWalkingRunning in furlong, written by A\u2019s Watch: the unit is not supported"
        in reason
    )


def test_active_energy_alone_has_the_kind_active(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("ActiveEnergyBurned", 500, "kcal"),
        '<ActivitySummary dateComponents="2023-04-03" activeEnergyBurned="590.25" '
        'activeEnergyBurnedUnit="Cal" appleExerciseTime="31"/>',
        '<ActivitySummary dateComponents="2023-04-04" activeEnergyBurned="0" '
        'activeEnergyBurnedUnit="kcal" appleExerciseTime="0"/>',
    )
    imported = import_path(path)
    assert imported.record("2023-04-02")["calories_kind"] == "active"
    assert imported.record("2023-04-03")["calories_burned"] == 590.25
    assert imported.record("2023-04-03")["active_minutes"] == 31
    assert len(imported.records) == 2


def test_a_timestamp_belongs_to_the_day_that_it_shows(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        record("StepCount", 10, "count", "2023-04-02 23:30:00 -0700"),
        record("StepCount", 20, "count", "2023-04-03 00:30:00 +0900"),
        record("StepCount", 40, "count", "2023-03-26 02:30:00 +0100"),
    )
    imported = import_path(path)
    assert {str(when): found["steps"] for (_, when), found in imported.records.items()} == {
        "2023-03-26": 40,
        "2023-04-02": 10,
        "2023-04-03": 20,
    }


def test_sleep_belongs_to_the_day_of_waking_and_overlaps_count_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        # The whole night, its stages, and the phone's estimate of the same night.
        asleep("2023-04-01 22:00:00 +0100", "2023-04-02 06:00:00 +0100", "InBed"),
        asleep("2023-04-01 22:30:00 +0100", "2023-04-02 05:30:00 +0100", "AsleepUnspecified"),
        asleep("2023-04-01 22:30:00 +0100", "2023-04-01 23:30:00 +0100", "AsleepDeep"),
        asleep("2023-04-01 23:30:00 +0100", "2023-04-02 05:30:00 +0100", "AsleepREM"),
        asleep("2023-04-02 02:00:00 +0100", "2023-04-02 02:10:00 +0100", "Awake"),
        asleep("2023-04-01 23:00:00 +0100", "2023-04-02 05:00:00 +0100", "Asleep", PHONE),
        # A nap.
        asleep("2023-04-02 14:00:00 +0100", "2023-04-02 14:30:00 +0100", "AsleepCore"),
        # Asleep before midnight, and awake after it in another zone.
        asleep("2023-04-03 20:00:00 +0100", "2023-04-04 01:00:00 +0300", "AsleepCore"),
    )
    imported = import_path(path)
    assert imported.record("2023-04-02")["sleep_hours"] == 7.5
    assert imported.record("2023-04-04")["sleep_hours"] == 3
    assert len(imported.records) == 2


@given(
    cuts=st.lists(st.integers(0, 8 * 60), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_pieces_of_a_night_add_up_to_its_length(cuts: list[int], order: object) -> None:
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


def test_invalid_declarations_and_control_characters_are_ignored(tmp_path: Path) -> None:
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
    imported = import_path(path)
    assert imported.record("2023-04-02")["steps"] == 10
    # Line numbers are those of the file.
    assert imported.quarantined == [("export.xml", "line 10", "'some' is not an amount")]


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
        write_files(tmp_path, {"export.xml": text})
        with pytest.raises(SourceError, match=r"export\.xml"):
            import_path(tmp_path / "export.xml")


@pytest.mark.parametrize(
    "text",
    [
        "<HealthData>" + "<a>" * 2_000_000,
        '<HealthData><Record type="' + "x" * 12_000_000 + '"/></HealthData>',
    ],
)
def test_deep_or_long_elements_do_not_fill_the_memory(tmp_path: Path, text: str) -> None:
    write_files(tmp_path, {"export.xml": text})
    with pytest.raises(SourceError, match="an element is too long or nested too deeply"):
        import_path(tmp_path / "export.xml")


def test_records_are_not_kept_in_memory(tmp_path: Path) -> None:
    def peak(records: int) -> int:
        path = write(tmp_path, *[record("StepCount", 1, "count")] * records)
        assert path.stat().st_size > 280 * records
        gc.collect()
        tracemalloc.start()
        try:
            found = import_path(path).record("2023-04-02")
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert found["steps"] == records
        return most

    peak(1_000)  # loads what is kept between exports: modules and compiled expressions
    # Both are longer than two of the reader's buffers, which may be held at the same time.
    assert peak(25_000) - peak(10_000) < 1_000_000


def test_a_truncated_export_is_left_out(tmp_path: Path) -> None:
    path = write(tmp_path, record("StepCount", 10, "count"))
    path.write_text(path.read_text()[:-30])
    with pytest.raises(SourceError, match=r"export\.xml cannot be read as XML: .* line"):
        import_path(path)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (record("StepCount", "nan", "count"), "'nan' is not an amount"),
        (record("StepCount", -1, "count"), "'-1' is not an amount"),
        (record("StepCount", 1, "count", "yesterday"), "'yesterday' is not a date"),
        (
            record("HeartRate", 60, "count/min", "2023-04-02 77:00"),
            "'2023-04-02 77' is not a timestamp",
        ),
        (record("HeartRate", 60, "count/min", "2023-04-02"), "'2023-04-02' is not a timestamp"),
        ('<Record type="HKQuantityTypeIdentifierStepCount" unit="count"/>', "no startDate"),
        (asleep("2023-04-02 02:00:00 +0100", "2023-04-02 01:00:00 +0100"), "before it begins"),
        (asleep("2023-04-02 02:00:00", "2023-04-02 03:00:00"), "has no offset from UTC"),
        ("<Workout/>", "Workout has no startDate"),
        ('<ActivitySummary dateComponents="x"/>', "'x' is not a date"),
        ('<Me HKCharacteristicTypeIdentifierDateOfBirth="old"/>', "Invalid isoformat"),
    ],
)
def test_a_bad_record_is_quarantined_and_the_rest_is_read(
    tmp_path: Path, element: str, reason: str
) -> None:
    imported = import_path(write(tmp_path, element, record("StepCount", 10, "count")))
    assert imported.record("2023-04-02")["steps"] == 10
    ((file, place, reported),) = imported.quarantined
    assert (file, place) == ("export.xml", "line 10")
    assert reason in reported


def test_two_exports_of_one_phone_are_not_added_together(tmp_path: Path) -> None:
    export_date = '<ExportDate value="2023-0{}-01 10:00:00 +0000"/>'
    write_files(
        tmp_path,
        {
            "old.xml": export(export_date.format(5), record("StepCount", 10, "count")),
            "new.xml": export(
                export_date.format(6),
                record("StepCount", 10, "count"),
                record("StepCount", 5, "count"),
            ),
        },
    )
    for name in ("old", "new"):
        text = (tmp_path / f"{name}.xml").read_text()
        write_zip(tmp_path / f"{name}.zip", {"apple_health_export/export.xml": text})
    found = import_path(tmp_path).record("2023-04-02")
    assert found["steps"] == 15
    assert found["ingested_at"].month == 6
