"""The table of an import, for terminals of several widths."""

import pytest

from fitness_assets.cli.import_table import print_files
from fitness_assets.sources.exports.report import FileReport


def report(file: str, records: int = 0, **values: str | int | list[str]) -> FileReport:
    known = {"files": 1, "format": "", "columns": [], "left_out": 0, "reason": ""}
    return FileReport(file=file, records=records, **(known | values))  # type: ignore[arg-type]


REPORTS = [
    report(
        "Takeout/Google Health/Physical Activity_GoogleData/steps_….csv",
        1_234_567,
        files=31,
        format="takeout",
        columns=["steps"],
    ),
    report(
        "dailyActivity_merged.csv",
        12,
        format="fitabase",
        columns=["active_minutes", "calories_burned", "distance_km", "sedentary_minutes", "steps"],
        left_out=3,
        reason="'many' is not an amount",
    ),
    report(
        "photos/IMG_20240101_1234567890_with_a_very_long_name_of_a_phone_camera.jpg",
        left_out=1,
        reason="no format reads it: it is an image",
    ),
]


@pytest.mark.parametrize("width", [40, 80, 120, 160])
def test_the_table_of_an_import_fits_its_width(
    capsys: pytest.CaptureFixture[str], width: int
) -> None:
    print_files(REPORTS, width)
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert max(map(len, lines)) <= width
    # Numbers are aligned below the end of their title.
    end = lines[0].index("records") + len("records")
    for count in ("1,234,567", "12", "0"):
        assert any(line[:end].endswith(f" {count}") for line in lines[1:]), count
    # Names are shortened in the middle, so that folder and kind of file stay readable.
    assert ".csv (31 files)" in printed
    assert ".jpg" in printed
    words = " ".join(printed.split())
    for text in ("3 entries, the first:", "sedentary_minutes", "takeout", "fitabase"):
        assert text in words, text


def test_no_table_is_printed_without_files(capsys: pytest.CaptureFixture[str]) -> None:
    print_files([])
    assert capsys.readouterr().out == ""
