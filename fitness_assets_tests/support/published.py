"""Read every byte of what anyone may read, and look for single people in it."""

import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fitness_assets.record.raw import MEASUREMENTS
from fitness_assets.release.people import PEOPLE_TABLES
from fitness_assets.storage.models import load

#: Keys of JSON documents, and columns of tables, with counts of people or of their days.
COUNTS = {
    *("records", "worn_records", "users", "rows", "train_rows", "train_users"),
    *("heldout_rows", "heldout_users", "judged_users", "smallest", "delivered", "worn", "days"),
    *("known", "out_of_range", "not_worn", "missing", "outliers", "residual_counts"),
    *("counts", "confusion", "activities"),
}
#: Keys of JSON documents with shares of rows, which show the counts if they are exact.
SHARES = {
    *("accuracy", "baseline_accuracy", "recall", "coverage", "baseline_coverage"),
    *("class_shares", "confidence", "mae", "rmse", "r2"),
}
#: Keys of JSON documents with numbers of other things.
_NOT_OF_PEOPLE = {"days"}


def find_people(
    files: Mapping[str, bytes], days: pd.DataFrame, ids: set[str], people: int
) -> list[str]:
    """What `files` show of fewer than `people` people.

    Parameters
    ----------
    files : mapping
        Content by path.
    days : DataFrame
        The records of the lake that the files were made from.
    ids : set of str
        Ids and names of people, in any form.
    people : int
    """
    found = []
    rare = {
        f"the {column} {value}": str(value)
        for column in ("activity_type", "sex", "source")
        if column in days
        for value, users in days.groupby(column)["user_id"].nunique().items()
        if users < people
    }
    # Whole numbers instead of ids, which are faster to count.
    numbers = {name: days[name].astype(float) for name in MEASUREMENTS}
    days = days.assign(user_id=pd.factorize(days["user_id"])[0], **numbers)
    for path, content in files.items():
        for part, text in _parts(path, content):
            found += [f"{part} holds the id {each}" for each in ids if each.encode() in text]
            found += [
                f"{part} holds {what}" for what, word in rare.items() if _has_word(text, word)
            ]
        name = path.rpartition("/")[2].partition("-")[0].removesuffix(".json")
        if path.endswith(".parquet"):
            table = pd.read_parquet(io.BytesIO(content))
            if name in PEOPLE_TABLES or "user_id" in table:
                found.append(f"{path} has rows of people")
            found += [f"{path}: {each}" for each in _table(name, table, days, people)]
        elif path.endswith(".skops"):
            found += [f"{path}: {each}" for each in _model(load(content, path), people)]
        elif path.endswith(".json"):
            document = json.loads(content)
            found += [f"{path}: {each}" for each in _document(document, "", people)]
    return found


def _has_word(content: bytes, word: str) -> bool:
    return re.search(rb"(?<!\w)" + re.escape(word.encode()) + rb"(?!\w)", content) is not None


def _parts(path: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """The raw content, and what is compressed in it."""
    yield path, content
    if path.endswith(".skops"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield f"{path}/{name}", archive.read(name)
    elif path.endswith(".parquet"):
        yield f"{path} decoded", pd.read_parquet(io.BytesIO(content)).to_csv().encode()


def _table(name: str, table: pd.DataFrame, days: pd.DataFrame, people: int) -> Iterator[str]:
    for column in COUNTS & set(table):
        counts = table[column].dropna()
        if (counts % people).any() or ((counts > 0) & (counts < people)).any():
            yield f"{column} is not a multiple of {people}"
    for row in table.to_dict("records"):
        for number, own in _cells(name, row, days):
            users = own["user_id"].nunique()
            if users < people:
                yield f"{number} of {row} is of {users} people"


def _cells(
    name: str, row: dict[Any, Any], days: pd.DataFrame
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The records that a row rests on, with what it says of them."""
    if name in ("days", "activities", "spreads"):
        key = "date" if name == "days" else "activity_type"
        own = days[days[key] == row[key]]
        yield "the row", own
        numbers = [row["number"]] if name == "spreads" else MEASUREMENTS
        for number in numbers:
            if not pd.isna(row.get(number, 0)):
                yield number, own[own[number].notna()]
    elif name == "histograms":
        yield row["number"], days[_within(days, row["number"], row["low"], row["high"])]
    elif name == "pairs":
        x = _within(days, row["x"], row["x_low"], row["x_high"])
        yield row["x"], days[x & _within(days, row["y"], row["y_low"], row["y_high"])]
    elif name == "quality":
        for mark in ("minimum", "q1", "median", "q3", "maximum"):
            if not pd.isna(row[mark]):
                # Published to three digits.
                margin = abs(row[mark]) * 0.006
                values = days[row["number"]].astype(float)
                yield mark, days[values <= row[mark] + margin]
                yield mark, days[values >= row[mark] - margin]


def _within(days: pd.DataFrame, name: str, low: float, high: float) -> pd.Series:
    """Records in a bin. The outermost bins also count what is beyond them: half a range more."""
    values = days[name].astype(float)
    return (values >= low - 1e9 * _is_first(days, name, low)) & (
        values < high + 1e9 * _is_last(days, name, high)
    )


def _is_first(days: pd.DataFrame, name: str, low: float) -> bool:
    """Whether fewer people than a cell needs have values below `low`."""
    return bool(days.loc[days[name].astype(float) < low, "user_id"].nunique() < 5)


def _is_last(days: pd.DataFrame, name: str, high: float) -> bool:
    return bool(days.loc[days[name].astype(float) >= high, "user_id"].nunique() < 5)


def _model(model: Any, people: int) -> Iterator[str]:
    """What the estimators of a pipeline keep of single rows."""
    pending = [model]
    while pending:
        part = pending.pop()
        if isinstance(part, list | tuple):
            pending += part
        elif hasattr(part, "get_params"):
            own = vars(part)
            pending += own.values()
            if len(own.get("labels_", ())):
                yield "it has the segment of each user"
            if (np.asarray(own.get("n_samples_seen_", 0)) % people).any():
                yield "it has exact counts"


def _document(value: Any, key: str, people: int) -> Iterator[str]:
    if isinstance(value, dict):
        for name, each in value.items():
            own = key if key in {"activities", "class_shares"} else name
            yield from _document(each, own, people)
    elif isinstance(value, list):
        for each in value:
            yield from _document(each, key, people)
    elif isinstance(value, int) and key in COUNTS - _NOT_OF_PEOPLE and value % people:
        yield f"{key} is {value}"
    elif isinstance(value, float) and key in SHARES and value != float(f"{value:.3g}"):
        yield f"{key} is {value}, a ratio of counts"
