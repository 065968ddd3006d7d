import gc
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitness_assets.errors import SourceError
from fitness_assets_tests.support import exports
from fitness_assets_tests.support.exports import USER, write_files, write_zip

import_path = partial(exports.import_path, zone=ZoneInfo("Europe/London"))

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
DEVICES = {WATCH: "Apple Watch", PHONE: "iPhone"}


def export(*elements: str, dtd: str = DTD) -> str:
    body = "\n".join(elements)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n{dtd}<HealthData locale="en_GB">\n'
        f"{body}\n</HealthData>\n"
    )


def record(  # noqa: PLR0913 - one parameter an attribute
    kind: str,
    value: float | str,
    unit: str,
    start: str = "2023-04-02 10:00:00 +0100",
    source: str = WATCH,
    *,
    end: str | None = None,
    inside: str = "",
) -> str:
    closing = f">{inside}</Record>" if inside else "/>"
    return (
        f'<Record type="HKQuantityTypeIdentifier{kind}" sourceName="{source}" sourceVersion="9" '
        f'device="&lt;&lt;HKDevice: 0x2&gt;, name:{DEVICES.get(source)}&gt;" unit="{unit}" '
        f'creationDate="{start}" startDate="{start}" endDate="{end or start}" '
        f'value="{value}"{closing}'
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
        "sleep_light": 450.0,
        "sleep_awake": 0.0,
        "sleep_start": datetime.fromisoformat("2023-04-01T23:00"),
        "sleep_end": datetime.fromisoformat("2023-04-02T06:30"),
        "spo2": 97.0,
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
    assert (found["steps"], found["distance_km"]) == (3400, 1.5)
    # A declared order comes first.
    found = import_path(path, source_order=("iphone",)).record("2023-04-02")
    assert (found["steps"], found["distance_km"]) == (2500, 2)


def test_the_device_of_a_source_says_that_it_is_a_watch(tmp_path: Path) -> None:
    watch = record("StepCount", 9000, "count").replace(WATCH, "Ann")
    phone = record("StepCount", 9500, "count", source=PHONE).replace(PHONE, "Pocket")
    assert import_path(write(tmp_path, phone, watch)).record("2023-04-02")["steps"] == 9000


def test_a_phone_and_a_watch_at_different_times_are_added_together(tmp_path: Path) -> None:
    day = "2023-04-02 {} +0100"
    path = write(
        tmp_path,
        # The phone alone in the morning, both for one walk at noon, the watch alone later.
        record("StepCount", 3100, "count", day.format("08:00:00"), PHONE),
        record("StepCount", 2200, "count", day.format("12:00:00"), PHONE),
        record("StepCount", 2000, "count", day.format("12:01:00")),
        record("StepCount", 4500, "count", day.format("16:20:00")),
    )
    assert import_path(path).record("2023-04-02")["steps"] == 3100 + 2000 + 4500


def test_a_long_reading_of_another_app_is_not_added_to_the_watch(tmp_path: Path) -> None:
    day = "2023-04-02 {} +0100"
    watch = [
        record("StepCount", 1000, "count", day.format(f"{hour:02}:10:00")) for hour in range(8, 18)
    ]
    app = "2023-04-02 00:00:00 +0100", "Diary"
    whole_day = record("StepCount", 9000, "count", *app, end=day.format("23:59:00"))
    assert import_path(write(tmp_path, *watch, whole_day)).record("2023-04-02")["steps"] == 10_000
    # Read by hour, the app has the same ten hours.
    hours = [
        record(
            "StepCount",
            1100,
            "count",
            day.format(f"{hour:02}:00:00"),
            "Diary",
            end=day.format(f"{hour + 1:02}:00:00"),
        )
        for hour in range(8, 18)
    ]
    assert import_path(write(tmp_path, *watch, *hours)).record("2023-04-02")["steps"] == 10_000


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


def steps_by_day(imported: exports.Imported) -> dict[str, int]:
    return {str(when): found["steps"] for (_, when), found in imported.records.items()}


def test_days_are_those_of_the_declared_zone_whatever_the_offset_of_the_export(
    tmp_path: Path,
) -> None:
    path = write(
        tmp_path,
        # An evening in January, written by a phone in July: 23:20 in Vienna.
        record("StepCount", 700, "count", "2023-01-20 00:20:00 +0200"),
        # Noon, written by a phone in New York and by one in Tokyo.
        record("StepCount", 20, "count", "2023-07-03 06:00:00 -0400"),
        record("StepCount", 40, "count", "2023-07-03 19:00:00 +0900"),
        # An evening in Vienna is the next day in Tokyo.
        record("StepCount", 80, "count", "2023-07-04 05:30:00 +0900"),
    )
    imported = import_path(path, zone=ZoneInfo("Europe/Vienna"))
    assert imported.quarantined == []
    assert steps_by_day(imported) == {"2023-01-19": 700, "2023-07-03": 140}


def test_the_time_zone_of_a_record_comes_before_the_declared_zone(tmp_path: Path) -> None:
    zone = '<MetadataEntry key="HKTimeZone" value="{}"/>'
    tokyo, unknown = zone.format("Asia/Tokyo"), zone.format("Mars/Crater")
    late = "2023-04-02 20:00:00 +0100"
    path = write(
        tmp_path,
        record("StepCount", 10, "count", late, inside='<MetadataEntry key="a" value="b"/>' + tokyo),
        record("StepCount", 20, "count", late),
        record("StepCount", 40, "count", late, inside=unknown),
        record("StepCount", 80, "count", late, inside=unknown),
        # The metadata of an element that is not read.
        f"<Correlation>{tokyo}</Correlation>",
        f'<Workout workoutActivityType="HKWorkoutActivityTypeYoga" duration="9" startDate="{late}">'
        f"<WorkoutEvent/>{tokyo}</Workout>",
    )
    imported = import_path(path)
    assert steps_by_day(imported) == {"2023-04-02": 140, "2023-04-03": 10}
    assert imported.record("2023-04-03")["activity_type"] == "yoga"
    ((_, place, reason),) = imported.quarantined
    assert (place, reason) == ("line 12", "'Mars/Crater' is not a time zone that is known")


def test_without_a_zone_days_are_those_of_the_offset_and_the_import_says_so_once(
    tmp_path: Path,
) -> None:
    stamps = ("2023-04-02 23:30:00 -0700", "2023-04-03 00:30:00 -0700")
    text = export(*(record("StepCount", 10, "count", stamp) for stamp in stamps))
    write_files(tmp_path, {"a/export.xml": text, "b/export.xml": text})
    imported = import_path(tmp_path, zone=None)
    assert steps_by_day(imported) == {"2023-04-02": 10, "2023-04-03": 10}
    ((_, place, reason),) = imported.quarantined
    assert place == "time zone"
    assert "declare it with --timezone or FITNESS_TIMEZONE" in reason


@settings(max_examples=60, deadline=None)
@given(
    st.integers(946_684_800, 1_893_456_000),
    st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]),
    st.integers(-12 * 60, 14 * 60),
)
def test_the_offset_of_the_export_does_not_change_the_days(
    tmp_path_factory: pytest.TempPathFactory, seconds: int, zone_name: str, offset: int
) -> None:
    zone = ZoneInfo(zone_name)
    instant = datetime.fromtimestamp(seconds, UTC)
    sign = "-" if offset < 0 else "+"
    shown = instant + timedelta(minutes=offset)
    stamp = f"{shown:%Y-%m-%d %H:%M:%S} {sign}{abs(offset) // 60:02}{abs(offset) % 60:02}"
    path = write(tmp_path_factory.mktemp("export"), record("StepCount", 10, "count", stamp))
    expected = instant.astimezone(zone).date()
    assert steps_by_day(import_path(path, zone=zone)) == {str(expected): 10}


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
        # Asleep and awake before midnight, although the second offset shows the next day.
        asleep("2023-04-03 20:00:00 +0100", "2023-04-04 01:00:00 +0300", "AsleepCore"),
    )
    imported = import_path(path)
    assert imported.record("2023-04-02")["sleep_hours"] == pytest.approx(7.5 - 1 / 6)
    assert imported.record("2023-04-03")["sleep_hours"] == 3
    assert len(imported.records) == 2


def test_a_time_awake_within_a_sleep_of_the_same_source_does_not_count(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        asleep("2023-04-01 22:00:00 +0100", "2023-04-02 06:00:00 +0100", "Asleep"),
        asleep("2023-04-02 01:15:00 +0100", "2023-04-02 01:45:00 +0100", "Awake"),
        # Another source does not change the sleep of the first.
        asleep("2023-04-01 23:00:00 +0100", "2023-04-02 06:00:00 +0100", "Awake", PHONE),
    )
    assert import_path(path).record("2023-04-02")["sleep_hours"] == 7.5


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


def test_an_export_that_is_cut_off_keeps_what_was_read(tmp_path: Path) -> None:
    cut = record("StepCount", 20, "count", "2023-04-03 10:00:00 +0100")
    path = write(tmp_path, record("StepCount", 10, "count"), cut)
    path.write_text(path.read_text().partition(' value="20"')[0])
    imported = import_path(path)
    assert steps_by_day(imported) == {"2023-04-02": 10}
    ((_, place, reason),) = imported.quarantined
    assert place == "line 11"
    assert reason.startswith("the file is cut off")


@pytest.mark.parametrize(
    "text",
    [
        '<HealthData><Record type="HKQuantityTypeIdentifierStepCount',
        "Notes on <HealthData > by A & B",
        export("<Record a='1' a='2'/>"),
    ],
)
def test_an_export_without_any_element_is_refused(tmp_path: Path, text: str) -> None:
    write_files(tmp_path, {"export.xml": text})
    with pytest.raises(
        SourceError, match=r"export\.xml: .*, line \d+: (not well-formed|the file is)"
    ):
        import_path(tmp_path / "export.xml")


MALFORMED = {
    "repeated attribute": '<Record type="HKQuantityTypeIdentifierStepCount" type="a" value="5"/>',
    "undefined entity": record("StepCount", "&five;", "count"),
    "bare ampersand": record("StepCount", 5, "count", source="A & B"),
    "attribute without a value": "<Record type/>",
    "open quote": '<Record type="HKQuantityTypeIdentifierStepCount value=5/>',
    "open tag": '<Record type="HKQuantityTypeIdentifierStepCount" value="5"',
    "stray end tag": "</Record>",
    "no end tag": '<Correlation type="a"><Record type="b">',
    "invalid child": '<Record type="a">\n  <MetadataEntry key="a" key="b"/>\n </Record>',
    "invalid character reference": record("StepCount", "&#0;", "count"),
    "text of another program": "<<<<<<< HEAD",
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_malformed_element_costs_only_that_element(
    tmp_path: Path, name: str, encoding: str
) -> None:
    before, after = (
        record("StepCount", 10, "count", f"2023-04-0{day} 10:00:00 +0100") for day in (1, 3)
    )
    text = export(before, MALFORMED[name], after, record("StepCount", 1, "count"), after)
    write_files(tmp_path, {"export.xml": text.encode(encoding)})
    imported = import_path(tmp_path / "export.xml")
    assert steps_by_day(imported) == {"2023-04-01": 10, "2023-04-02": 1, "2023-04-03": 20}
    lines = [int(place.removeprefix("line ")) for _, place, _ in imported.quarantined]
    # Elements without an end are found at the end of the file.
    assert len(lines) == 1
    assert lines[0] in ({15} if name == "no end tag" else {11, 12})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([None, *MALFORMED]), min_size=1, max_size=12), st.integers(0, 4000))
def test_no_well_formed_element_is_lost(
    tmp_path_factory: pytest.TempPathFactory, names: list[str | None], padding: int
) -> None:
    elements = [f"<Text>{'x' * padding * 400}</Text>"]
    for name in names:
        elements += [MALFORMED[name]] if name else []
        elements.append(record("StepCount", 1, "count"))
    path = write(tmp_path_factory.mktemp("export"), *elements)
    assert import_path(path).record("2023-04-02")["steps"] == len(names)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252"])
def test_every_encoding_of_xml_is_read(tmp_path: Path, encoding: str) -> None:
    text = export(record("StepCount", 10, "count"), record("StepCount", 5, "count", source=PHONE))
    text = text.replace("UTF-8", "UTF-8" if encoding == "utf-8-sig" else encoding)
    write_files(tmp_path, {"export.xml": text.encode(encoding)})
    imported = import_path(tmp_path / "export.xml")
    assert imported.quarantined == []
    assert imported.record("2023-04-02")["steps"] == 10


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (record("StepCount", "nan", "count"), "'nan' is not an amount"),
        (record("StepCount", -1, "count"), "'-1' is not an amount"),
        (record("StepCount", 1, "count", "yesterday"), "'yesterday' is not a timestamp"),
        (
            record("HeartRate", 60, "count/min", "2023-04-02 77:00"),
            "'2023-04-02 77:00' is not a timestamp",
        ),
        (record("HeartRate", 60, "count/min", "2023-04-02"), "'2023-04-02' is not a timestamp"),
        ('<Record type="HKQuantityTypeIdentifierStepCount" unit="count"/>', "no startDate"),
        (asleep("2023-04-02 02:00:00 +0100", "2023-04-02 01:00:00 +0100"), "before it begins"),
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
