import struct
import zipfile
from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import archive
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read_export
from fitness_assets.sources.exports.registry import detect_format
from fitness_assets_tests.support.exports import database, import_path, write_files, write_zip

TIDY = "user_id,date,steps\n7,2023-04-02,1200\n"
# The smallest files that are recognized, some with a byte order mark, CRLF or single quotes.
SMALLEST = {
    "fitabase": "\ufeffId,ActivityDate,TotalSteps\n77,4/12/2016,9\n",
    "fitbit_web": 'Activities\r\n"Date","Steps"\r\n"2019-01-01","1,200"\r\n',
    "takeout": '[{\n  "dateTime" : "03/02/21 10:00:00",\n  "value" : "12"\n}]',
    "apple_health": "<?xml version='1.0'?>\n<HealthData locale='en_GB'>\n</HealthData>",
    "garmin": '[{"calendarDate": "2020-01-02", "totalSteps": 12}]',
    "garmin_api": '{"dailies": [{"userId": "u", "calendarDate": "2020-01-02", "steps": 1}]}',
    "google_fit": "Date,Move Minutes count,Calories (kcal),Step count\n2018-04-03,1,1,12\n",
    "tidy": TIDY,
}


@pytest.mark.parametrize("name", SMALLEST)
def test_a_format_is_recognized_by_its_content(tmp_path: Path, name: str) -> None:
    write_files(tmp_path, {"upload.bin": SMALLEST[name], "other/notes.txt": "hello"})
    assert detect_format(tmp_path / "upload.bin") == name
    assert detect_format(tmp_path) == name
    assert detect_format(write_zip(tmp_path / "a.dat", {"deep/in/x.bin": SMALLEST[name]})) == name


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"\r\n  \n", "it is empty"),
        (b"hello", r"no format reads it \(\.csv\)"),
        (b"[1, 2]", "it is JSON of no known format"),
        (b"a,b\n1,2\n", r"no format has its columns \(a, b\): a layout can describe them"),
        ("a;b\r1;2\r".encode("utf-16"), r"no format has its columns \(a, b\)"),
        (b"<html/>", "it is a web page"),
        (database("CREATE TABLE a (b);"), "it is an SQLite database"),
        (b"\x1f\x8b\x08\x00", "it is compressed with gzip: unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive: unpack it"),
    ],
)
def test_an_unknown_format_is_refused_with_the_reason_and_the_formats(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = write_files(tmp_path, {"Fitabase dailyActivity_merged.csv": content})
    for attempt in (detect_format, import_path):
        with pytest.raises(
            SourceError,
            match=rf"is not in a known format: Fitabase.*{reason}.*Known formats: Apple Health",
        ):
            attempt(path)


def test_all_formats_of_an_archive_are_read(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "takeout.zip",
        {
            "Takeout/Fitbit/Global Export Data/steps-2021-03-01.json": SMALLEST["takeout"],
            "Takeout/Fit/Daily activity metrics/Daily activity metrics.csv": SMALLEST["google_fit"],
        },
    )
    assert {found["source"] for found in import_path(path).records.values()} == {
        "takeout",
        "google_fit",
    }


def test_zips_in_a_folder_are_one_export(tmp_path: Path) -> None:
    for number in (1, 2):
        name = f"Takeout/Fitbit/Global Export Data/steps-2021-03-0{number}.json"
        stamp = SMALLEST["takeout"].replace("03/02/21", f"03/0{number}/21")
        write_zip(tmp_path / f"takeout-00{number}.zip", {name: stamp})
    (tmp_path / "takeout-003.zip").write_bytes((tmp_path / "takeout-001.zip").read_bytes()[:-40])
    imported = import_path(tmp_path)
    assert len(imported.records) == 2


def test_names_of_members_are_never_used_as_paths(tmp_path: Path) -> None:
    outside = write_files(tmp_path / "outside", {"secret.csv": TIDY})
    path = tmp_path / "in" / "x.zip"
    path.parent.mkdir()
    write_zip(
        path, {"../outside/secret.csv": "nothing", "\x1b[31mred.csv": TIDY.replace("7,", "8,")}
    )
    imported = import_path(path)
    assert [user for user, _ in imported.records] == ["8"]
    (path.parent / "link.csv").symlink_to(outside / "secret.csv")
    assert [user for user, _ in import_path(path.parent).records] == ["8"]
    assert {file.name for file in path.parent.iterdir()} == {"link.csv", "x.zip"}


def test_a_zip_bomb_is_quarantined(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "x.zip", {"bomb.csv": b"0" * (17 << 20), "good.csv": TIDY})
    imported = import_path(path)
    assert len(imported.records) == 1
    assert imported.quarantined == [
        (
            "bomb.csv",
            "",
            f"it would unpack to {17 << 20:,} bytes, over 200 times its compressed size",
        )
    ]


def test_a_zip_with_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_MEMBERS", 1)
    path = write_zip(tmp_path / "x.zip", {"a.csv": TIDY, "b.csv": TIDY})
    with pytest.raises(SourceError, match=r"x\.zip holds 2 files; the limit is 1"):
        import_path(path)


def test_encrypted_or_unsupported_members_are_quarantined(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("odd.csv", TIDY, zipfile.ZIP_BZIP2)
        out.writestr("secret.csv", TIDY)
        out.writestr("good.csv", TIDY)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.index(signature, data.index(signature) + 1) + offset
        data[at : at + 2] = struct.pack("<H", 1)
    path.write_bytes(data)
    imported = import_path(path)
    assert len(imported.records) == 1
    assert [file for file, _, _ in imported.quarantined] == ["odd.csv", "secret.csv"]
    assert "encrypted" in imported.quarantined[1][2]


def test_the_last_member_of_a_name_is_read(tmp_path: Path) -> None:
    hours = "Id,ActivityHour,StepTotal\n77,4/12/2016 1:00:00 AM,{}\n"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.writestr("hourlySteps_merged.csv", hours.format(50))
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("hourlySteps_merged.csv", hours.format(60))
    assert import_path(tmp_path / "x.zip").record("2016-04-12", "77")["steps"] == 60


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        import_path(tmp_path / "missing")


def test_progress_is_reported_up_to_the_total(tmp_path: Path) -> None:
    rows = "".join(f"{user},2023-04-02,1\n" for user in range(50_000))
    path = write_zip(tmp_path / "x.zip", {"x.csv": "user_id,date,steps\n" + rows})
    reported: list[tuple[int, int]] = []
    for _ in read_export(path, ImportOptions(), lambda *_: None, lambda *now: reported.append(now)):
        pass
    done = [now for now, _ in reported]
    assert done == sorted(done)
    assert len(done) > 3
    assert reported[-1][0] == reported[-1][1] == len(rows) + 19


def test_a_zone_of_an_unknown_stream_is_refused(tmp_path: Path) -> None:
    write_files(tmp_path, {"x.csv": TIDY})
    with pytest.raises(
        SourceError, match="unknown stream stepz: zones are declared for steps, distance"
    ):
        import_path(tmp_path, zones={"stepz": ImportOptions().zone_or_utc})
