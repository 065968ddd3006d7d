"""Traces of a user: names in all spellings, pseudonyms, and where a search finds them."""

import gzip
import io
import json
import lzma
import sqlite3
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fitness_assets.storage.trace_search import search
from fitness_assets.storage.traces import REPLACEMENT, Traces

PSEUDONYM = f"p{'0123456789' * 2}"
NAME = "Zoë Quill"
TRACES = Traces([PSEUDONYM], [NAME])


@pytest.mark.parametrize(
    "spelling",
    [
        NAME,
        unicodedata.normalize("NFD", NAME),
        f"\ufeff{NAME}\u200b",
        "Zo\u200bë\u00a0Quill",
        NAME.upper(),
        json.dumps(NAME),
        json.dumps(unicodedata.normalize("NFD", NAME)),
        quote(NAME),
        "inbox/Zoë_Quill-2023.zip",
        f'{{"user": "{PSEUDONYM}"}}',
        f"x{PSEUDONYM}x",
    ],
)
def test_every_spelling_of_a_name_is_found_and_replaced(spelling: str) -> None:
    assert TRACES.in_text(spelling)
    assert not TRACES.in_text(TRACES.rewrite(spelling))
    assert REPLACEMENT in TRACES.rewrite(spelling)


@pytest.mark.parametrize("other", ["Zoë", "Quill", "Zoë Quillan", "p0123", "Chloë Quill Zoë"])
def test_other_names_are_kept(other: str) -> None:
    assert not TRACES.in_text(other)


@pytest.mark.parametrize("name", ["al", "42", "steps", "May", "Walking"])
def test_a_name_that_is_common_in_text_is_found_as_a_user_id_only(
    name: str, tmp_path: Path
) -> None:
    traces = Traces([name, PSEUDONYM], [name])
    assert traces.unsearchable == [name]
    (tmp_path / "log").write_text(f"42 steps of al walking in May {name}")
    pq.write_table(pa.table({"user_id": [name]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"activity": [name]}), tmp_path / "b.parquet")
    assert list(search(tmp_path, traces)) == [f"{tmp_path / 'a.parquet'} (column user_id)"]


def test_the_folders_of_the_platform_keep_their_paths() -> None:
    traces = Traces([PSEUDONYM], ["corbin"], own_paths=[Path("/home/corbin")])
    assert traces.rewrite("/home/corbin/.fitness/inbox/corbin/a.csv") == (
        f"/home/corbin/.fitness/inbox/{REPLACEMENT}/a.csv"
    )


def zipped(content: bytes, name: str = "member") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


def parquet(column: str, values: pa.Array) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table({column: values}), buffer)
    return buffer.getvalue()


def database(value: str | bytes) -> bytes:
    with sqlite3.connect(":memory:") as connection:
        connection.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, event)")
        connection.execute("INSERT INTO events (event) VALUES (?)", (value,))
        connection.commit()
        return connection.serialize()


ENCLOSED: dict[str, Callable[[str], bytes]] = {
    "text": lambda text: text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "json": lambda text: json.dumps({text: 1}).encode(),
    "zip member": lambda text: zipped(text.encode()),
    "name of a zip member": lambda text: zipped(b"", text),
    "zip in a zip": lambda text: zipped(zipped(text.encode())),
    "gzip": lambda text: gzip.compress(text.encode()),
    "xz": lambda text: lzma.compress(text.encode()),
    "column": lambda text: parquet("source", pa.array([text, "other"])),
    "dictionary": lambda text: parquet("segment", pa.array([text]).dictionary_encode()),
    "list": lambda text: parquet("sources", pa.array([[text]])),
    "parquet in a zip": lambda text: zipped(parquet("user_id", pa.array([text]))),
    "database": database,
    "compressed in a database": lambda text: database(zlib.compress(text.encode())),
}


@pytest.mark.parametrize("trace", [NAME, PSEUDONYM])
@pytest.mark.parametrize("kind", ENCLOSED)
def test_a_trace_is_found_in_files_of_any_kind(kind: str, trace: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(ENCLOSED[kind](trace))
    (found,) = {each.split(" ")[0] for each in search(tmp_path, TRACES)}
    assert found == str(tmp_path / "file")
    (tmp_path / "file").write_bytes(ENCLOSED[kind]("somebody else"))
    assert list(search(tmp_path, TRACES)) == []


def test_names_of_files_and_files_that_cannot_be_read_are_listed(tmp_path: Path) -> None:
    (tmp_path / "zoë-quill").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and nothing else")
    bad, name = search(tmp_path, TRACES)
    assert "bad.parquet (it cannot be read" in bad
    assert name == f"{tmp_path / 'zoë-quill'} (its name)"
