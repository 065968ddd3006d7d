"""Every CSV format, written as spreadsheets and other systems write it, gives the same records."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.layout import parse
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets_tests.support.exports import (
    Imported,
    example_files,
    import_path,
    write_files,
)

CSV_FORMATS = [
    name for name in FORMATS if any(file.endswith(".csv") for file in example_files(name))
]


def rewritten(content: bytes, delimiter: str = ",", *, comma: bool = False, end: str = "\n") -> str:
    """The CSV in another dialect, with decimal commas and dots for thousands if `comma`."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end)
    for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
        writer.writerow([_with_comma(cell) if comma else cell for cell in row])
    return out.getvalue()


def _with_comma(cell: str) -> str:
    plain = cell.replace(",", "")
    if not plain.replace(".", "", 1).isdigit():
        return cell
    # Ids and years are no amounts: only what a spreadsheet would format is.
    return plain.replace(".", ",")


STYLES: dict[str, Callable[[bytes], bytes]] = {
    "semicolons": lambda content: rewritten(content, ";").encode(),
    "tabs": lambda content: rewritten(content, "\t").encode(),
    "semicolons and decimal commas": lambda content: rewritten(content, ";", comma=True).encode(),
    "UTF-16": lambda content: rewritten(content).encode("utf-16"),
    "UTF-16 without a mark": lambda content: rewritten(content).encode("utf-16-le"),
    "UTF-16 and tabs": lambda content: rewritten(content, "\t", end="\r\n").encode("utf-16-be"),
    "UTF-32": lambda content: rewritten(content).encode("utf-32"),
    "carriage returns": lambda content: rewritten(content, end="\r").encode(),
    "byte order mark": lambda content: b"\xef\xbb\xbf" + rewritten(content, end="\r\n").encode(),
}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", CSV_FORMATS)
def test_the_records_are_the_same(tmp_path: Path, name: str, style: str) -> None:
    files = example_files(name)
    expected = import_path(write_files(tmp_path / "as it is", files))
    other = {
        file: STYLES[style](content) if file.endswith(".csv") else content
        for file, content in files.items()
    }
    imported = import_path(write_files(tmp_path / "other", other))
    assert imported.quarantined == []
    assert imported.records == expected.records


def tidy(folder: Path, content: str | bytes, **options: object) -> Imported:
    return import_path(write_files(folder, {"x.csv": content}), **options)


def test_a_decimal_comma_in_one_column_decides_for_the_others(tmp_path: Path) -> None:
    text = "user_id;date;steps;distance_km\n7;2024-01-02;9.120;7,25\n7;2024-01-03;12.345;7,125\n"
    found = tidy(tmp_path, text)
    assert found.record("2024-01-02", "7")["steps"] == 9120
    assert found.record("2024-01-03", "7")["distance_km"] == 7.125


def test_a_declared_sign_is_used_without_a_look_at_the_cells(tmp_path: Path) -> None:
    text = "user_id,date,calories_burned\n7,2024-01-02,2.345\n"
    columns = {"user_id": "user_id", "date": "date", "calories_burned": "calories_burned"}
    constants = {"calories_kind": "total"}
    layout = parse({"columns": columns, "constants": constants, "decimal": ","})
    assert tidy(tmp_path, text).record("2024-01-02", "7")["calories_burned"] == 2.345
    found = tidy(tmp_path, text, layout=layout).record("2024-01-02", "7")
    assert found["calories_burned"] == 2345


def test_western_european_text_is_read_and_every_user_stays_apart(tmp_path: Path) -> None:
    text = "user_id,date,steps\nRené,2024-01-02,1\nRenè,2024-01-02,2\nMüller,2024-01-02,3\n"
    for encoding in ("cp1252", "utf-8"):
        found = tidy(tmp_path, text.encode(encoding))
        assert {user for user, _ in found.records} == {"René", "Renè", "Müller"}


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("Юрий", "cp1251"), ("Юлия", "koi8-r"), ("山田", "shift-jis"), ("Γιάννης", "cp1253")],
)
def test_rows_in_another_encoding_are_refused_until_it_is_declared(
    tmp_path: Path, text: str, encoding: str
) -> None:
    content = f"user_id,date,steps\n{text},2024-01-02,1\nann,2024-01-02,2\n".encode(encoding)
    found = tidy(tmp_path, content)
    assert {user for user, _ in found.records} == {"ann"}
    ((_, place, reason),) = found.quarantined
    assert place == "line 2"
    assert "bytes that are not text in the file's encoding: declare `encoding`" in reason
    columns = {name: name for name in ("user_id", "date", "steps")}
    layout = parse({"columns": columns, "encoding": encoding})
    assert {user for user, _ in tidy(tmp_path, content, layout=layout).records} == {text, "ann"}


def test_damaged_bytes_in_utf_8_cost_their_rows(tmp_path: Path) -> None:
    content = b"user_id,date,steps\nJ\xfcrgen,2024-01-02,1\nJ\xe4rgen,2024-01-02,2\n"
    content += "Zoë,2024-01-02,3\n".encode()
    found = tidy(tmp_path, content)
    assert {user for user, _ in found.records} == {"Zoë"}
    assert [place for _, place, _ in found.quarantined] == ["line 2", "line 3"]


def test_a_replacement_character_is_not_part_of_an_id(tmp_path: Path) -> None:
    found = tidy(tmp_path, "user_id,date,steps\nJ\ufffdrgen,2024-01-02,1\nann,2024-01-02,2\n")
    assert {user for user, _ in found.records} == {"ann"}
    assert "lost a character" in found.quarantined[0][2]


@pytest.mark.parametrize("other", ["Ju\u0308rgen", "Jürgen\u200b", "\ufeffJürgen"])
def test_spellings_that_look_the_same_are_one_user(tmp_path: Path, other: str) -> None:
    text = f"user_id,date,steps\nJürgen,2024-01-02,1\n{other},2024-01-03,2\n"
    found = tidy(tmp_path, text)
    assert {user for user, _ in found.records} == {"Jürgen"}
    ((_, place, reason),) = found.quarantined
    assert place == "user id"
    assert "they are read as one user" in reason


def test_a_file_whose_days_are_swapped_is_refused(tmp_path: Path) -> None:
    days = [f"2024-{number:02d}-04" for number in range(1, 13)]
    days += [f"2024-04-{number}" for number in range(13, 31)]
    rows = "".join(f"7,{day},{index}\n" for index, day in enumerate(days))
    with pytest.raises(SourceError, match="day and month of some dates seem to be swapped"):
        tidy(tmp_path, "user_id,date,steps\n" + rows)
    columns = {name: name for name in ("user_id", "date", "steps")}
    layout = parse({"columns": columns, "date_format": "%Y-%d-%m"})
    found = tidy(tmp_path, "user_id,date,steps\n" + rows, layout=layout)
    assert {str(day) for _, day in found.records} == {f"2024-04-{day:02d}" for day in range(1, 13)}
