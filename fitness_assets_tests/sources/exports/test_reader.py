import struct
import zipfile
from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import archive
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.reader import read
from fitness_assets.sources.exports.registry import recognise
from fitness_assets_tests.support.exports import pack, put, take

TIDY = "user_id,date,steps\n7,2023-04-02,1200\n"
EXAMPLES = {
    "fitabase": "\ufeffId,ActivityDate,TotalSteps\n77,4/12/2016,9\n",
    "fitbit_web": 'Activities\r\n"Date","Steps"\r\n"2019-01-01","1,200"\r\n',
    "takeout": '[{\n  "dateTime" : "03/02/21 10:00:00",\n  "value" : "12"\n}]',
    "apple_health": "<?xml version='1.0'?>\n<HealthData locale='en_GB'>\n</HealthData>",
    "garmin": '[{"calendarDate": "2020-01-02", "totalSteps": 12}]',
    "garmin_api": '{"dailies": [{"userId": "u", "calendarDate": "2020-01-02", "steps": 1}]}',
    "google_fit": "Date,Move Minutes count,Calories (kcal),Step count\n2018-04-03,1,1,12\n",
    "tidy": TIDY,
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_format_is_recognised_by_what_it_holds(tmp_path: Path, name: str) -> None:
    put(tmp_path, {"upload.bin": EXAMPLES[name], "other/notes.txt": "hello"})
    assert recognise(tmp_path / "upload.bin") == name
    assert recognise(tmp_path) == name
    assert recognise(pack(tmp_path / "a.dat", {"deep/in/x.bin": EXAMPLES[name]})) == name


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x0e\x10\xd9\x07\x00\x00\x00\x00.FIT", b"[1, 2]", b"a,b\n1,2\n", b"<html/>"],
)
def test_what_is_of_no_format_is_refused_and_the_formats_are_told(
    tmp_path: Path, content: bytes
) -> None:
    path = put(tmp_path, {"Fitabase dailyActivity_merged.csv": content})
    for attempt in (recognise, take):
        with pytest.raises(SourceError, match=r"is of no known format\. Known are: Apple Health"):
            attempt(path)


def test_an_archive_of_several_formats_gives_them_all(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "takeout.zip",
        {
            "Takeout/Fitbit/Global Export Data/steps-2021-03-01.json": EXAMPLES["takeout"],
            "Takeout/Fit/Daily activity metrics/Daily activity metrics.csv": EXAMPLES["google_fit"],
        },
    )
    assert {found["source"] for found in take(path).days.values()} == {"takeout", "google_fit"}


def test_zips_in_a_folder_are_one_export(tmp_path: Path) -> None:
    for number in (1, 2):
        name = f"Takeout/Fitbit/Global Export Data/steps-2021-03-0{number}.json"
        stamp = EXAMPLES["takeout"].replace("03/02/21", f"03/0{number}/21")
        pack(tmp_path / f"takeout-00{number}.zip", {name: stamp})
    (tmp_path / "takeout-003.zip").write_bytes((tmp_path / "takeout-001.zip").read_bytes()[:-40])
    imported = take(tmp_path)
    assert len(imported.days) == 2


def test_names_of_members_are_never_paths(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside", {"secret.csv": TIDY})
    path = tmp_path / "in" / "x.zip"
    path.parent.mkdir()
    pack(path, {"../outside/secret.csv": "nothing", "\x1b[31mred.csv": TIDY.replace("7,", "8,")})
    imported = take(path)
    assert [user for user, _ in imported.days] == ["8"]
    (path.parent / "link.csv").symlink_to(outside / "secret.csv")
    assert [user for user, _ in take(path.parent).days] == ["8"]
    assert {file.name for file in path.parent.iterdir()} == {"link.csv", "x.zip"}


def test_a_member_that_would_unpack_to_too_much_is_left_out(tmp_path: Path) -> None:
    path = pack(tmp_path / "x.zip", {"bomb.csv": b"0" * (17 << 20), "good.csv": TIDY})
    imported = take(path)
    assert len(imported.days) == 1
    assert imported.refused == [("bomb.csv", "", f"it would unpack to {17 << 20:,} bytes")]


def test_a_zip_of_more_files_than_any_export_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 1)
    path = pack(tmp_path / "x.zip", {"a.csv": TIDY, "b.csv": TIDY})
    with pytest.raises(SourceError, match=r"x\.zip holds 2 files, more than any export"):
        take(path)


def test_members_that_are_encrypted_or_oddly_packed_are_left_out(tmp_path: Path) -> None:
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
    imported = take(path)
    assert len(imported.days) == 1
    assert [file for file, _, _ in imported.refused] == ["odd.csv", "secret.csv"]
    assert "encrypted" in imported.refused[1][2]


def test_of_members_of_one_name_the_last_counts(tmp_path: Path) -> None:
    hours = "Id,ActivityHour,StepTotal\n77,4/12/2016 1:00:00 AM,{}\n"
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as out:
        out.writestr("hourlySteps_merged.csv", hours.format(50))
        with pytest.warns(UserWarning, match="Duplicate name"):
            out.writestr("hourlySteps_merged.csv", hours.format(60))
    assert take(tmp_path / "x.zip").of("2016-04-12", "77")["steps"] == 60


def test_what_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing"):
        take(tmp_path / "missing")


def test_progress_is_told_from_nothing_to_everything(tmp_path: Path) -> None:
    rows = "".join(f"{user},2023-04-02,1\n" for user in range(50_000))
    path = pack(tmp_path / "x.zip", {"x.csv": "user_id,date,steps\n" + rows})
    told: list[tuple[int, int]] = []
    for _ in read(path, ImportOptions(), lambda *_: None, lambda *now: told.append(now)):
        pass
    done = [now for now, _ in told]
    assert done == sorted(done)
    assert len(done) > 3
    assert told[-1][0] == told[-1][1] == len(rows) + 19


def test_a_zone_of_an_unknown_stream_is_refused(tmp_path: Path) -> None:
    put(tmp_path, {"x.csv": TIDY})
    with pytest.raises(SourceError, match="no stream stepz has a zone; there are steps, distance"):
        take(tmp_path, zones={"stepz": ImportOptions().zone})
