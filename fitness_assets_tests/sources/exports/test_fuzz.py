"""Damaged exports: an import gives records, quarantined entries or SourceError, and no other error.

Each test also asserts that some damaged inputs were accepted, so that it covers more than the
refusal of files.
"""

import csv
import io
import json
import math
import random
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.explain import draft_of
from fitness_assets.sources.exports.layout import parse
from fitness_assets.sources.exports.registry import FORMATS
from fitness_assets_tests.support.exports import (
    example_files,
    import_path,
    write_files,
    write_zip,
)

MUTATIONS = 40
# Every such mutant is imported next to the other files too, which takes longer.
TOGETHER = 5
# What breaks parsers: quotes, brackets, signs, digits, zeros, line ends, parts of characters.
SNIPPETS = [
    *(b'"', b"'", b"[", b"{", b"<", b">", b"&", b",", b";", b"\n", b"\r", b"\x00", b"\xff", b"-"),
    *(b"9" * 30, b"1e999", b"NaN", b"Infinity", b"null", b"\\ud800", b"[" * 3000, b"0000-00-00"),
    *(b"99/99/99 99:99:99", b"true", b"\xe2\x80", b"PK\x03\x04", b"+99:99", b"\xc2\xb2"),
]
ODD_VALUES: list[Any] = [
    None,
    True,
    -1,
    1e300,
    math.inf,
    math.nan,
    10**30,
    "",
    "x",
    "\ud800",
    [],
    {},
    [[]],
    [None],
    # Numbers as text.
    "12",
    "-12",
    "1e300",
]
#: The formats of JSON files, and of tables whose cells hold JSON.
JSON_FILES = [
    name for name in FORMATS if any(member.endswith(".json") for member in example_files(name))
]
JSON_CELLS = ["mi_fitness", "oura", "withings"]


def mutants(content: bytes, seed: str) -> Iterator[bytes]:
    draw = random.Random(seed)  # noqa: S311
    for _ in range(MUTATIONS):
        mutant = bytearray(content)
        for _ in range(draw.randint(1, 4)):
            at = draw.randrange(len(mutant) + 1)
            match draw.randrange(4):
                case 0:
                    mutant[at : at + draw.choice([1, 3, 40])] = b""
                case 1:
                    mutant[at : at + 1] = bytes([draw.randrange(256)])
                case 2:
                    mutant[at:at] = draw.choice(SNIPPETS)
                case _:
                    mutant[at:at] = mutant[at // 2 : at // 2 + draw.choice([5, 200])]
        yield bytes(mutant)


def accepts(path: Path, **options: object) -> bool:
    """Whether the import of `path` gave records; asserts that all else is explained."""
    accepted = False
    try:
        imported = import_path(path, **options)
    except SourceError as error:
        explained = [(str(path), "", str(error))]
    else:
        accepted = bool(imported.records or imported.workouts)
        explained = imported.quarantined
        assert accepted or explained
    assert all(file and reason and "\n" not in reason for file, _, reason in explained)
    return accepted


def count_accepted(
    folder: Path, files: Mapping[str, bytes], member: str, damaged: Iterable[bytes]
) -> int:
    """How many damaged contents of `member` gave records, imported without the other files.

    One of `TOGETHER` is imported next to the other files too.
    """
    alone, together = folder / "alone", write_files(folder / "together", files)
    accepted = 0
    for number, content in enumerate(damaged):
        accepted += accepts(write_files(alone, {member: content}))
        if len(files) > 1 and number % TOGETHER == 0:
            accepts(write_files(together, {member: content}))
    return accepted


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_text(tmp_path: Path, name: str) -> None:
    files = example_files(name)
    accepted = sum(
        count_accepted(tmp_path / str(number), files, member, mutants(content, member))
        for number, (member, content) in enumerate(files.items())
    )
    total = MUTATIONS * len(files)
    # Of an Apple export, damage costs the elements that it hits; other files may be refused.
    assert 0 < accepted <= total if name == "apple_health" else 0 < accepted < total


def misfits(value: Any) -> Iterator[Any]:
    """`value` with each of its parts in turn replaced by an odd value, or removed."""
    yield from ODD_VALUES
    if isinstance(value, dict):
        for key, part in value.items():
            yield from ({**value, key: odd} for odd in misfits(part))
            yield {name: other for name, other in value.items() if name != key}
    elif isinstance(value, list) and value:
        yield from ([odd, *value] for odd in misfits(value[0]))


@pytest.mark.parametrize("name", JSON_FILES)
def test_values_of_the_wrong_type(tmp_path: Path, name: str) -> None:
    files = example_files(name)
    accepted = total = 0
    for number, member in enumerate(each for each in files if each.endswith(".json")):
        damaged = [json.dumps(misfit).encode() for misfit in misfits(json.loads(files[member]))]
        accepted += count_accepted(tmp_path / str(number), files, member, damaged)
        total += len(damaged)
    assert 0 < accepted < total


@pytest.mark.parametrize("name", JSON_CELLS)
def test_cells_of_the_wrong_type(tmp_path: Path, name: str) -> None:
    files = example_files(name)
    accepted = total = 0
    for number, (member, content) in enumerate(files.items()):
        header, *rows = csv.reader(io.StringIO(content.decode()))
        # The first row of each kind of cells.
        kinds = {
            (place, *json.loads(cell)): (row, place)
            for row in reversed(rows)
            for place, cell in enumerate(row)
            if cell.startswith(("{", "["))
        }
        damaged = []
        for row, place in kinds.values():
            for misfit in misfits(json.loads(row[place])):
                text = io.StringIO()
                mutant = [*row[:place], json.dumps(misfit), *row[place + 1 :]]
                csv.writer(text).writerows([header, mutant])
                damaged.append(text.getvalue().encode())
        accepted += count_accepted(tmp_path / str(number), files, member, damaged)
        total += len(damaged)
    assert 0 < accepted < total


LAYOUT = {
    "rows": "hour",
    "decimal": ".",
    "missing": ["-"],
    "columns": {
        "date": "day",
        "time": "hour",
        "steps": ["a", "b"],
        "floors": {"column": ["c", "d"], "missing_part": "zero"},
        "distance_km": {"columns": "m*", "unit": "m"},
        "heart_rate_avg": {"column": "bpm", "values": {"low": 50}},
    },
    "constants": {"age": 40},
}


def test_layouts_of_the_wrong_type() -> None:
    # A TOML document is a table.
    tables = [misfit for misfit in misfits(LAYOUT) if isinstance(misfit, dict)]
    refused = 0
    for misfit in tables:
        try:
            parse(misfit)
        except SourceError:
            refused += 1
    assert 0 < refused < len(tables)


def test_mutated_rows_of_hours(tmp_path: Path) -> None:
    rows = "".join(f"2023-04-02,{hour},5,6,1,,7,8,{60 + hour}\n" for hour in range(24))
    content = f"day,hour,a,b,c,d,m1,m2,bpm\n{rows}".encode()
    accepted = sum(
        accepts(write_files(tmp_path, {"x.csv": mutant}), layout=parse(LAYOUT))
        for mutant in mutants(content, "hours")
    )
    assert 0 < accepted < MUTATIONS


def test_mutated_rows_of_workouts(tmp_path: Path) -> None:
    layout = parse(
        {
            "rows": "workout",
            "columns": {"date": "at", "minutes": "min", "activity_type": "kind", "user_id": "who"},
        }
    )
    rows = "".join(f"2023-04-{day:02}T08:00:00+02:00,0:30:00,run,7\n" for day in range(1, 25))
    content = f"at,min,kind,who\n{rows}".encode()
    accepted = sum(
        accepts(write_files(tmp_path, {"x.csv": mutant}), layout=layout)
        for mutant in mutants(content, "workouts")
    )
    assert 0 < accepted < MUTATIONS


@pytest.mark.parametrize("name", ["fitabase", "oura", "tidy", "withings"])
def test_layouts_that_are_guessed_from_damaged_tables(tmp_path: Path, name: str) -> None:
    complete = 0
    for member, content in example_files(name).items():
        if member.endswith(".csv"):
            for text in [content, *islice(mutants(content, member), TOGETHER)]:
                try:
                    draft = draft_of(write_files(tmp_path, {"x.csv": text}) / "x.csv")
                except SourceError:
                    continue
                if draft is not None:
                    declared = tomllib.loads(draft.text)
                    complete += not draft.problem and "date" in parse(declared).columns
    assert complete


@pytest.mark.parametrize("name", ["apple_health", "takeout", "tidy"])
def test_mutated_zips(tmp_path: Path, name: str) -> None:
    # Two copies of each file: after damage to one, the other can be read.
    files = {
        f"{copy}/{member}": content
        for copy in ("a", "b")
        for member, content in example_files(name).items()
    }
    content = write_zip(tmp_path / "x.zip", files).read_bytes()
    accepted = 0
    for mutant in mutants(content, name):
        (tmp_path / "x.zip").write_bytes(mutant)
        accepted += accepts(tmp_path / "x.zip")
    assert 0 < accepted < MUTATIONS


def test_mutated_parquet(tmp_path: Path) -> None:
    table = pa.table({"user_id": ["7"], "date": ["2023-04-02"], "steps": [0]})
    pq.write_table(table, tmp_path / "x.parquet")
    layout = parse({"columns": {"date": "date"}})
    accepted = 0
    for mutant in mutants((tmp_path / "x.parquet").read_bytes(), "parquet"):
        (tmp_path / "x.parquet").write_bytes(mutant)
        accepted += accepts(tmp_path / "x.parquet")
        accepted += accepts(tmp_path / "x.parquet", layout=layout)
    assert 0 < accepted < 2 * MUTATIONS
