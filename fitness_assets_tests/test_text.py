"""Text of files, releases and users on a terminal and in a spreadsheet."""

import csv
import io
import os
import unicodedata
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.cli.terminal import cell, say
from fitness_assets.errors import SourceError
from fitness_assets.storage.spreadsheet import harmless, safe_csv, safe_lines
from fitness_assets.text import printable

#: Terminal sequences (colour, title, clipboard, OSC 8 link), bidi overrides, line breaks, and bytes
#: that cannot be decoded.
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]52;c;cm0=\x07",
    "\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b31m",
    "gpj.\u202etxt.exe",
    "\u2066a\u2069",
    "a\r\nfitness: all is well",
    "a\u2028b\u2029c\x85d",
    "\ufeffa\u200b\u00ad",
    "a\x00b\x08\x7f",
    os.fsdecode(b"a\xff.csv"),
]


@given(st.text() | st.lists(st.sampled_from(HOSTILE)).map("".join))
def test_nothing_that_is_printed_controls_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not {"Cc", "Cs", "Zl", "Zp"} & {unicodedata.category(each) for each in shown}
    assert all(each in "\u200c\u200d" for each in shown if unicodedata.category(each) == "Cf")
    shown.encode()
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Größe 5 días 👩\u200d🚀.csv", "Größe 5 días 👩\u200d🚀.csv"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\u202eb", "a\\u202eb"),
        ("a\r\n\tb", "a b"),
        (os.fsdecode(b"a\xff"), "a\\udcff"),
    ],
)
def test_other_text_is_unchanged_and_controls_are_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", HOSTILE)
def test_errors_lines_and_cells_are_printable(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    say(f"{text}: {SourceError(text)}")
    assert capsys.readouterr().out == f"{printable(text)}: {printable(text)}\n"
    # Rich would take brackets as markup.
    assert cell(f"[red]{text}").plain == f"[red]{printable(text)}"


BLANKS = [
    "",
    " ",
    "\t",
    "\r",
    "\n",
    "\u00a0",
    "\u3000",
    "\ufeff",
    "\u200b",
    "\u202e",
    "\x00",
    " \t ",
]
SIGNS = ["=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("sign", SIGNS)
def test_a_cell_that_a_spreadsheet_would_run_is_harmless(blank: str, sign: str) -> None:
    formula = f"{blank}{sign}1+1"
    written = safe_csv(pd.DataFrame({formula: [formula, "plain"], "n": [-1.5, 2.0]}))
    header, first, second = csv.reader(io.StringIO(written, newline=""))
    assert header == [f"'{formula}", "n"]
    assert first == [f"'{formula}", "-1.5"]
    assert second == ["plain", "2.0"]
    assert f'"\'{formula}"' in written, "text is quoted"


def test_lines_of_many_rows_are_as_safe() -> None:
    formulas = [f"{blank}{sign}1+1" for blank in BLANKS for sign in SIGNS]
    texts = [*formulas, 'a "b", c', "a\nb", "é", "007", "1.50", "1e5", "", None]
    frame = pd.DataFrame(
        {"t": texts, "n": np.arange(len(texts)) + 0.25, "d": [date(2023, 4, 1)] * len(texts)}
    )
    lines = safe_lines(pa.Table.from_pandas(frame))
    rows = list(csv.reader(io.StringIO("\n".join(lines), newline="")))
    expected = csv.reader(io.StringIO(safe_csv(frame), newline=""))
    assert rows == list(expected)[1:]
    of_column = [pa.table({"t": [text]}) for text in ("-5", "1.50", "0", "007", "+5", "x")]
    written = [line for each in of_column for line in safe_lines(each)]
    assert written == ["-5", "1.50", "0", '"007"', '"\'+5"', '"x"']


@pytest.mark.parametrize("text", ["", " ", "a=1", "2023-04-01", "u0000001", "walking", "≥ 5"])
def test_other_cells_are_unchanged(text: str) -> None:
    assert harmless(text) == text
