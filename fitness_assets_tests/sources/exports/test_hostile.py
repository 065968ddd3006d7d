"""Exports that would take all memory or time: each is refused, or costs only itself."""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources import parquet_limits
from fitness_assets.sources.exports import (
    aggregate,
    apple_quantities,
    archive_limits,
    compressed,
    reader,
)
from fitness_assets.sources.exports.formats import apple_health
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.imports import Imports
from fitness_assets.sources.pseudonyms import Pseudonyms
from fitness_assets_tests.support.exports import (
    database,
    import_path,
    write_files,
    write_zip,
)
from fitness_assets_tests.support.measured_imports import costs

TIDY = b"user_id,date,steps\n7,2023-04-02,1200\n"
#: Memory that an import may take, in bytes, and time of the processor, in seconds.
MAX_BYTES, MAX_SECONDS = 400_000_000, 30.0


def wide_csv() -> bytes:
    names = b",".join(b"c%d" % number for number in range(100_000))
    row = b"7,2023-04-02,1" + b",1" * 100_000
    return b"user_id,date,steps," + names + b"\n" + (row + b"\n") * 60


def csv_row_without_end() -> bytes:
    return TIDY + b'"\n",' * 500_000


def csv_line_without_end() -> bytes:
    return TIDY + b"," * 8_000_000 + b"\n8,2023-04-02,5\n"


def csv_of_long_values() -> bytes:
    return b"user_id,date,steps\n" + (b"7" * 60_000 + b",2023-04-02,1\n") * 100


def parquet(texts: pa.Array) -> bytes:
    days = pa.array([date(2023, 4, 2)] * len(texts))
    out = io.BytesIO()
    table = pa.table({"user_id": texts, "date": days, "steps": pa.array([1] * len(texts))})
    pq.write_table(table, out, compression="zstd", write_statistics=False)
    return out.getvalue()


def parquet_of_one_long_text() -> bytes:
    return parquet(pa.array(["x" * 200_000_000]))


def parquet_of_repeated_text() -> bytes:
    indices = pa.array([0] * 8192, pa.int32())
    return parquet(pa.DictionaryArray.from_arrays(indices, ["x" * 1_000_000]))


def apple(records: str) -> bytes:
    return f"<HealthData>{records}</HealthData>".encode()


def step(day: str = "2023-04-02", **attributes: str) -> str:
    given = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return (
        f'<Record type="HKQuantityTypeIdentifierStepCount" unit="count" value="1"{given} '
        f'startDate="{day} 10:00:00 +0000"/>'
    )


def apple_of_many_sources() -> bytes:
    return apple("".join(step(sourceName=f"s{number}") for number in range(5_000)))


def apple_of_many_attributes() -> bytes:
    names = " ".join(f'a{number}=""' for number in range(800_000))
    return apple(f"<Record {names}/>{step()}")


def apple_of_many_declarations() -> bytes:
    return b"<HealthData>" + b"<!DOCTYPE[" * 100_000 + b"</HealthData>"


def takeout_of_many_sources() -> bytes:
    rows = "".join(f"2023-04-02T10:00:00Z,source {n},1\n" for n in range(16_000))
    return f"timestamp,data source,steps\n{rows}".encode()


def garmin(text: bytes) -> bytes:
    return b'[{"calendarDate": "2023-04-02", "totalSteps": 1}, ' + text + b"]"


def json_of_many_objects() -> bytes:
    return garmin(b"{}," * 9_000_000 + b"{}")


def json_of_many_levels() -> bytes:
    return garmin(b'{"totalSteps": ' + b"[" * 5_000_000 + b"]" * 5_000_000 + b"}")


def zip_entry(name: bytes, size: int, compressed_size: int) -> bytes:
    """An entry of the list of members of a zip, for content at its start."""
    return (
        struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", 20, 3, 20, 0, 0, 8, 0, 0, 0,
                    compressed_size, size, len(name), 0, 0, 0, 0, 0, 0) + name
    )  # fmt: skip


def zip_of(content: bytes, entries: list[bytes]) -> bytes:
    directory = b"".join(entries)
    count = min(len(entries), 65_535)
    return content + directory + struct.pack(
        "<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(content), 0
    )  # fmt: skip


def zip_of_many_members() -> bytes:
    return zip_of(b"PK\3\4", [zip_entry(b"a", 0, 0)] * 400_000)


def zip_of_members_that_overlap() -> bytes:
    entries = [zip_entry(b"%d.csv" % number, 15 << 20, 15 << 10) for number in range(1_000)]
    return zip_of(b"PK\3\4" + b"\0" * (16 << 10), entries)


def tar_of_a_long_header() -> bytes:
    entry = tarfile.TarInfo("a.csv")
    entry.type, entry.size = tarfile.XHDTYPE, 600_000_000
    return entry.tobuf(tarfile.USTAR_FORMAT)


def tar_of_many_links() -> bytes:
    entry = tarfile.TarInfo("a")
    entry.type = tarfile.DIRTYPE
    return gzip.compress(entry.tobuf() * 5_000 + b"\0" * 1024)


def gzip_bomb() -> bytes:
    return gzip.compress(b"0" * (40 << 20), 6)


def database_of_long_values() -> bytes:
    rows = "INSERT INTO steps_record_table VALUES (1767424200000, 3600, 1, zeroblob(16000000));"
    return database(
        "CREATE TABLE application_info_table (row_id, package_name);"
        "CREATE TABLE steps_record_table (start_time, start_zone_offset, app_info_id, count);"
        + rows
        * 3
    )


def fit_of_wide_messages() -> bytes:
    """A definition of 255 fields of 255 bytes, and messages of it."""
    definition = struct.pack("<BBBHB", 0x40, 0, 0, 55, 255) + bytes([27, 255, 2]) * 255
    records = definition + (b"\0" + b"\1" * 255 * 255) * 20
    return struct.pack("<BBHI4sH", 14, 0x20, 2132, len(records), b".FIT", 0) + records


#: By name: the content, the size of the file (with zeros after it) if it is larger, and a part of
#: the reason that is given.
CASES: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "wide.csv": (wide_csv, 0, "has 100,003 columns; the limit is 2,000"),
    "row.csv": (csv_row_without_end, 0, "a row of more than 1,048,576 characters"),
    "line.csv": (csv_line_without_end, 0, "a row of more than 1,048,576 characters"),
    "values.csv": (csv_of_long_values, 0, "has 60,000 characters"),
    "text.parquet": (parquet_of_one_long_text, 0, "bytes of user_id; the limit is 64,000,000"),
    "repeated.parquet": (parquet_of_repeated_text, 0, "bytes of text in 8,192 rows"),
    "sources.xml": (apple_of_many_sources, 0, "records of more than 1,000 sources"),
    "attributes.xml": (apple_of_many_attributes, 0, "too long or nested too deeply"),
    "declarations.xml": (apple_of_many_declarations, 0, "not well-formed"),
    "steps_2023-04-02.csv": (takeout_of_many_sources, 0, "readings of more than 1,000 sources"),
    "objects.json": (json_of_many_objects, 0, "has too many values"),
    "levels.json": (json_of_many_levels, 0, ""),
    "members.zip": (zip_of_many_members, 0, "has a list of files of 18,800,000 bytes"),
    "overlap.zip": (zip_of_members_that_overlap, 0, "over 200 times its size"),
    "header.tar": (tar_of_a_long_header, 700_000_000, "a header of it has 600,000,000 bytes"),
    "links.tgz": (tar_of_many_links, 0, ""),
    "values.db": (database_of_long_values, 0, "is not an amount"),
    "wide.fit": (fit_of_wide_messages, 0, "no message before it has a time"),
    "bomb.csv.gz": (gzip_bomb, 0, "would unpack to over 16,777,216 bytes"),
}  # fmt: skip


@pytest.mark.slow
def test_no_hostile_export_takes_much_memory_or_time(tmp_path: Path) -> None:
    for name, (content, size, _) in CASES.items():
        with (tmp_path / name).open("wb") as file:
            file.write(content())
            file.truncate(max(size, file.tell()))
    measured = costs([tmp_path / name for name in CASES], MAX_BYTES)
    for name, cost in measured.items():
        assert CASES[name][2] in cost.reason, name
        assert cost.reason, name
        assert len(cost.reason) < 1_500, name
        assert cost.megabytes < MAX_BYTES / 1e6, (name, cost)
        assert cost.seconds < MAX_SECONDS, (name, cost)
    assert measured["line.csv"].records == 2
    assert measured["sources.xml"].entries <= 101


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)],
)
def test_a_compressed_file_is_read(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    twice = compress(TIDY[:10]) + compress(TIDY[10:])
    within = write_zip(tmp_path / "x.zip", {f"days.csv{suffix}": compress(TIDY)})
    write_files(tmp_path / "folder", {f"days.csv{suffix}": twice, "empty.txt": ""})
    write_files(tmp_path, {f"a.csv{suffix}": compress(TIDY), "upload": twice + b"\0" * 99})
    for path in (within, tmp_path / "folder", tmp_path / f"a.csv{suffix}", tmp_path / "upload"):
        assert import_path(path).record("2023-04-02", "7")["steps"] == 1200
    cut = write_files(tmp_path, {f"cut.csv{suffix}": compress(TIDY * 999)[:-9]})
    with pytest.raises(SourceError, match=r"cut\.csv"):
        import_path(cut / f"cut.csv{suffix}")


def test_a_file_in_a_compressed_zip_is_read(tmp_path: Path) -> None:
    inner = write_zip(tmp_path / "a.zip", {"a.csv": TIDY}).read_bytes()
    path = write_files(tmp_path, {"a.zip.gz": gzip.compress(inner)}) / "a.zip.gz"
    assert list(import_path(path).records) == [("7", date(2023, 4, 2))]


def test_the_memory_of_xz_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = lzma.compress(TIDY, preset=6)
    path = write_files(tmp_path, {"a.csv.xz": content}) / "a.csv.xz"
    monkeypatch.setattr(compressed, "_XZ_MEMORY", 1 << 20)
    open_content = compressed.decompressor(content)
    assert open_content is not None
    with open_content(path) as file, pytest.raises(lzma.LZMAError, match="Memory usage limit"):
        file.read(1)


def test_the_members_of_zips_are_bounded_in_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_limits, "RATIO_MIN_BYTES", 4_000)
    content = {f"{number}.csv": TIDY + b"\n" * 3_000 for number in range(5)}
    path = write_zip(tmp_path / "x.zip", content)
    assert path.stat().st_size < 2_000
    monkeypatch.setattr(archive_limits, "MAX_RATIO", 5)
    with pytest.raises(SourceError, match=r"x\.zip would unpack to 15,\d+ bytes, over 5 times"):
        import_path(path)


def test_an_apple_export_within_its_limits_is_whole_and_the_rest_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apple_quantities, "MAX_VALUES_BYTES", 3_000)
    days = "".join(step(f"2023-04-{day:02}", sourceName="watch") for day in range(2, 9))
    path = write_files(tmp_path, {"export.xml": apple(days)}) / "export.xml"
    imported = import_path(path, zone=ZoneInfo("UTC"))
    assert [day.day for _, day in imported.records] == [2, 3, 4]
    assert len(imported.quarantined) == 4
    assert "would take more than 3,000 bytes" in imported.quarantined[0][2]


def test_time_zones_of_an_apple_export_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apple_health, "MAX_ZONES", 2)
    zones = ("Europe/Berlin", "Asia/Tokyo", "America/New_York")
    records = "".join(
        step(f"2023-04-0{day}").replace("/>", "")
        + f'><MetadataEntry key="HKTimeZone" value="{zone}"/></Record>'
        for day, zone in enumerate(zones, start=2)
    )
    imported = import_path(write_files(tmp_path, {"export.xml": apple(records)}) / "export.xml")
    assert len(imported.records) == 3
    assert "more than 2 time zones" in imported.quarantined[0][2]


def test_a_file_of_too_many_sources_is_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregate, "MAX_SOURCES", 2)
    rows = "".join(f"2023-04-0{n}T10:00:00Z,s{n},70\n" for n in range(1, 5))
    files = {"heart_rate_2023-04-01.csv": f"timestamp,data source,beats per minute\n{rows}"}
    imported = import_path(write_files(tmp_path, files))
    assert len(imported.records) == 2
    assert "readings of more than 2 sources" in imported.quarantined[0][2]


def test_what_is_reported_of_an_import_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_REPORTED_IN_ALL", 40)
    monkeypatch.setattr(reader, "MAX_FILES", 10)
    letters = "abcdefghijklmnopqrstuvwxyz"
    bad = b"user_id,date,steps\n" + b"7,never,1\n" * 10
    files = {f"{letter}.csv": bad for letter in letters}
    path = write_zip(tmp_path / "x.zip", {**files, "good.csv": TIDY})
    imports = Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))
    info, _ = imports.add(path, ImportOptions())
    assert len(info.quarantined) == 41
    assert info.quarantined[-1].file == "220 more entries"
    assert len(info.files) == 11
    assert info.files[-1].file == "17 more kinds of files"
    assert (info.files[-1].files, sum(each.left_out for each in info.files)) == (17, 260)
    assert sum(each.records for each in info.files) == 1


def test_an_import_of_which_too_much_would_be_stored_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = b"".join(b"%d,2023-04-02,1\n" % user for user in range(300))
    path = write_files(tmp_path, {"x.csv": b"user_id,date,steps\n" + rows}) / "x.csv"
    imports = Imports(tmp_path / "imports", Pseudonyms(tmp_path / "people"))
    monkeypatch.setattr("fitness_assets.sources.import_manifest._MAX_VALUES", 300)
    with pytest.raises(SourceError, match=r"x\.csv cannot be kept.*300 users"):
        imports.add(path, ImportOptions())
    assert imports.all() == []


def test_long_names_of_members_cost_no_time(tmp_path: Path) -> None:
    imported = import_path(write_zip(tmp_path / "x.zip", {"a" * 60_000 + ".csv": TIDY}))
    assert len(imported.records) == 1


ABSURD = (
    "1e308", "-1e308", "NaN", "Infinity", "-Infinity", "9" * 400, "9" * 5000, "1e-400", "1e30"
)  # fmt: skip


@pytest.mark.parametrize("value", ABSURD)
def test_absurd_numbers_cost_only_themselves(tmp_path: Path, value: str) -> None:
    columns = "steps,distance_km,calories_burned,heart_rate_avg,sleep_hours,age,weight_kg"
    rows = f"7,2023-04-02{f',{value}' * 7}\n7,2023-04-03{',1' * 7}\n"
    garmin_days = [
        f'{{"calendarDate": "2023-04-0{day}", "totalSteps": {steps}, "activeKilocalories": {steps},'
        f' "bmrKilocalories": {steps}, "sleepStartTimestampGMT": {steps}}}'
        for day, steps in ((2, value), (3, "1"))
    ]
    summaries = (
        f'{{"dailies": [{{"userId": "7", "steps": {value}, "startTimeInSeconds": {value}}}]}}'
    )
    files: dict[str, str | bytes] = {
        "tidy.csv": f"user_id,date,{columns}\n{rows}",
        "garmin.json": f"[{', '.join(garmin_days)}]",
        "garmin_api.json": summaries.replace('"7"', '"8"'),
        "export.xml": apple(
            step("2023-04-09", sourceName="w").replace('"1"', f'"{value}"')
            + step("2023-04-09", sourceName="v")
        ),
    }
    imported = import_path(write_files(tmp_path, files))
    assert imported.record("2023-04-03", "7")["steps"] == 1
    numbers = [v for row in imported.records.values() for v in row.values() if type(v) is float]
    assert all(0 <= number < 1e300 for number in numbers)


@pytest.mark.parametrize(
    "stamp",
    ["0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "-2023-04-02", "99999999999-01-01"],
)
def test_absurd_years_cost_only_themselves(tmp_path: Path, stamp: str) -> None:
    days = json.dumps(
        [
            {"calendarDate": stamp, "totalSteps": 1},
            {"sleepStartTimestampGMT": 1, "sleepEndTimestampGMT": f"{stamp}T00:00:00.0"},
            {"summarizedActivitiesExport": [{"startTimeLocal": 1e300, "activityType": "run"}]},
        ]
    )
    files: dict[str, str | bytes] = {
        "tidy.csv": f"user_id,date,steps,ingested_at\n7,{stamp},1,\n7,2023-04-02,1,{stamp}\n"
        "7,2023-04-03,1,\n",
        "garmin.json": days,
        "export.xml": apple(step(stamp) + step()),
        "steps_2023-04-02.csv": f"timestamp,data source,steps\n{stamp}T00:00:00Z,w,1\n",
    }
    imported = import_path(write_files(tmp_path, files))
    assert imported.record("2023-04-03", "7")["steps"] == 1
    assert {day.year for _, day in imported.records} == {2023}


def test_nested_columns_of_parquet_are_refused(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["7"], "date": [date(2023, 4, 2)], "steps": [[1, 2]]})
    pq.write_table(table, tmp_path / "x.parquet")
    with pytest.raises(SourceError, match="steps holds lists or structures"):
        import_path(tmp_path / "x.parquet")


def test_rows_and_metadata_of_parquet_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.parquet").write_bytes(parquet(pa.array(["7"] * 30)))
    monkeypatch.setattr(parquet_limits, "MAX_ROWS", 29)
    with pytest.raises(SourceError, match="has 30 rows; the limit is 29"):
        import_path(tmp_path / "x.parquet")
    monkeypatch.setattr(parquet_limits, "MAX_METADATA_BYTES", 99)
    with pytest.raises(SourceError, match="bytes of metadata; the limit is 99"):
        import_path(tmp_path / "x.parquet")
