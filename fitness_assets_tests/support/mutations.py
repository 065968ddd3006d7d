"""Random changes of a whole release, with hashes, manifest and pointer that match them."""

import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from fitness_assets.release.bundle import MANIFEST
from fitness_assets.release.pointer import LATEST
from fitness_assets.storage import documents, publication

# Values that replace any value of a JSON document.
_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 1e308, 2**63, "", "a" * 9_000, "9999-12", "٢٠٢٣-٠٤", "2023-04\n"),
    *([], {}, [[]], {"a": {}}, "../../x", "sklearn.svm", "subprocess", "Popen"),
)


def _bytes(content: bytes, choice: random.Random) -> bytes:
    """`content` with bytes that are changed, removed, repeated or added."""
    changed = bytearray(content)
    for _ in range(choice.choice((1, 1, 2, 9))):
        at = choice.randrange(len(changed) + 1)
        match choice.randrange(5):
            case 0 if at < len(changed):
                changed[at] = choice.randrange(256)
            case 1:
                del changed[at : at + choice.choice((1, 9, 999))]
            case 2:
                changed[at:at] = choice.randbytes(choice.choice((1, 9, 999)))
            case 3:
                changed[at:at] = changed[at : at + 999] * choice.choice((1, 1_000))
            case _:
                changed = changed[:at]
    return bytes(changed)


def _json_value(value: Any, choice: random.Random) -> Any:
    """`value`, a JSON document, with one value in it that is replaced, removed or nested."""
    places: list[tuple[Any, Any]] = []
    pending = [value]
    while pending:
        each = pending.pop()
        keys = (
            each if isinstance(each, dict) else range(len(each)) if isinstance(each, list) else ()
        )
        for key in keys:
            places.append((each, key))
            pending.append(each[key])
    if not places:
        return choice.choice(_VALUES)
    holder, key = choice.choice(places)
    match choice.randrange(5):
        case 0:
            del holder[key]
        case 1:
            nested = holder[key]
            for _ in range(choice.choice((1, 40, 900))):
                nested = [nested]
            holder[key] = nested
        case 2:
            holder[key] = [holder[key]] * choice.choice((2, 500))
        case _:
            holder[key] = choice.choice(_VALUES)
    return value


def _json(content: bytes, choice: random.Random) -> bytes:
    return json.dumps(_json_value(json.loads(content), choice)).encode()


def _parquet(content: bytes, choice: random.Random) -> bytes:
    """A table with other columns, rows or types."""
    table = pq.read_table(io.BytesIO(content))
    name = choice.choice(table.column_names)
    match choice.randrange(7):
        case 0:
            table = table.drop_columns([name])
        case 1:
            table = table.rename_columns({name: choice.choice([*table.column_names[:1], "x"])})
        case 2:
            table = table.slice(0, choice.choice((0, 1)))
        case 3:
            values = pa.array([choice.choice(("a" * 99, None, "b"))] * len(table), pa.string())
            table = table.set_column(table.column_names.index(name), name, values)
        case 4:
            table = pa.concat_tables([table] * choice.choice((2, 1_000)))
        case 5:
            table = table.replace_schema_metadata({"pandas": choice.choice(("{", "[]", "{}"))})
        case _:
            nested = pa.array([[1]] * len(table))
            table = table.set_column(table.column_names.index(name), name, nested)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression=choice.choice(("zstd", "gzip", "none")))
    return buffer.getvalue()


def _skops(content: bytes, choice: random.Random) -> bytes:
    """A model with another description, or with changed arrays or forests."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = choice.choice(["schema.json", "schema.json", *members])
    if name == "schema.json":
        members[name] = _json(members[name], choice)
    else:
        members[name] = _bytes(members[name], choice)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
    return buffer.getvalue()


_CHANGES: dict[str, tuple[Callable[[bytes, random.Random], bytes], ...]] = {
    ".json": (_bytes, _json, _json),
    ".parquet": (_bytes, _parquet, _parquet),
    ".skops": (_bytes, _skops, _skops),
}


class Content(NamedTuple):
    """A release: its month, its files by name, and the information of its manifest."""

    month: str
    files: Mapping[str, bytes]
    info: Mapping[str, Any]


def write_changed(root: Path, release: Content, serial: int, seed: int) -> str:
    """Write `release` with one random change below `root`, and say what was changed.

    Parameters
    ----------
    root : Path
        An origin without releases.
    release : Content
    serial : int
        Of the pointer.
    seed : int
    """
    month, files, _ = release
    choice = random.Random(seed)  # noqa: S311 - not a secret
    place = choice.choice([*files, "manifest", "pointer"])
    contents = dict(files)
    if place in files:
        change = choice.choice(_CHANGES[Path(place).suffix])
        contents[place] = change(contents[place], choice)
        place = f"{place} by {change.__name__}"
    folder = root / month
    folder.mkdir(parents=True, exist_ok=True)
    stored = []
    for name, content in sorted(contents.items()):
        sha256 = hashlib.sha256(content).hexdigest()
        stem, _, suffix = name.rpartition(".")
        path = f"{stem}-{sha256[:12]}.{suffix}"
        (folder / path).write_bytes(content)
        stored.append(
            publication.StoredFile(name=name, path=path, sha256=sha256, bytes=len(content))
        )
    info = json.loads(json.dumps(release.info))
    if place == "manifest":
        info = _json_value(info, choice)
    document: Any = {
        "format": 1,
        "data_version": publication.data_version_of(tuple(stored), info),
        "files": documents.plain(stored),
        "info": info,
        "inputs": None,
    }
    if place == "manifest" and choice.random() < 0.5:
        document = _json_value(document, choice)
    manifest = documents.encode(document)
    (folder / MANIFEST).write_bytes(manifest)
    pointer: Any = {
        "format": 1,
        "serial": serial,
        "month": month,
        "releases": {month: hashlib.sha256(manifest).hexdigest()},
        "ids": {},
    }
    if place == "pointer":
        pointer = _json_value(pointer, choice)
    (root / LATEST).write_text(json.dumps(pointer))
    return place
