"""The layout of a tidy file: a TOML file that maps its columns to canonical ones.

date_format = "%d/%m/%Y"             # default: 2023-04-30
delimiter = ";"                      # default: detected: a comma, a semicolon or a tab
decimal = ","                        # default: detected from all numbers of the file
encoding = "cp1250"                  # default: detected: UTF-8, UTF-16 or Windows-1252
missing = ["-1"]                     # in addition to blank, NA, NaN, null and None
zero_is_missing = ["heart_rate_avg"]

[columns]                            # canonical column = the file's column
user_id = "Participant"
date = "Day"
distance_km = { column = "Miles", unit = "mi" }
calories_burned = "Energy"
age = { column = "Age", values = { "<30" = 25, ">=30" = 40 } }   # values of codes
active_minutes = ["very", "moderate"]                            # the sum of two columns
sleep_hours = { column = ["deep", "light"], unit = "min", missing_part = "zero" }
steps = { columns = "Steps*" }       # a column for each minute or hour: Steps00, Steps01, ...

[constants]                          # the same value for every row
calories_kind = "total"

With ``rows = "minute"`` or ``rows = "hour"``, each row is one of these, and a day is their sum or
their mean: `combined_columns.summed` says which. The column ``time`` is the time of day, unless
``date`` has it. With ``rows = "workout"``, each row is a workout that begins then.
"""

import codecs
import json
import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import FULL_SCHEMA, NUMBERS
from fitness_assets.regular_files import read_text
from fitness_assets.sources.exports.combined_columns import COMBINABLE, Combined
from fitness_assets.text import shorten

#: Limit on the bytes of a TOML file: those of layouts and orders of sources are below 10 kB.
MAX_TOML_BYTES = 1 << 18

_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})
_HOURS = {"h": 1.0, "min": 1 / 60, "s": 1 / 3600, "ms": 1 / 3_600_000}
_MILLISECONDS = {"ms": 1.0, "s": 1000.0}
_MINUTES = {"min": 1.0, "h": 60.0, "s": 1 / 60, "ms": 1 / 60_000}
#: By canonical column, the factor from each unit to the canonical unit, which comes first.
UNITS = {
    "distance_km": {
        "km": 1.0,
        "m": 0.001,
        "cm": 0.00001,
        "mi": 1.609344,
        "yd": 0.0009144,
        "ft": 0.0003048,
    },
    "calories_burned": {"kcal": 1.0, "kJ": 1 / 4.184},
    "sleep_hours": _HOURS,
    "active_minutes": _MINUTES,
    "sedentary_minutes": _MINUTES,
    "sleep_deep": _MINUTES,
    "sleep_light": _MINUTES,
    "sleep_rem": _MINUTES,
    "sleep_awake": _MINUTES,
    "hrv_rmssd": _MILLISECONDS,
    "hrv_sdnn": _MILLISECONDS,
    "spo2": {"%": 1.0, "fraction": 100.0},
    "light_minutes": _MINUTES,
    "moderate_minutes": _MINUTES,
    "vigorous_minutes": _MINUTES,
    "minutes": _MINUTES,
    "height_cm": {"cm": 1.0, "m": 100.0, "in": 2.54, "ft": 30.48},
    "weight_kg": {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "st": 6.35029318},
}
#: What a row stands for, and how messages call such rows.
ROWS = {
    "day": "rows of a day",
    "hour": "rows of an hour",
    "minute": "rows of a minute",
    "workout": "rows of a workout",
}
#: Columns that rows of a minute or an hour may have. Sleep belongs to the day of waking, which such
#: rows do not state.
OF_INTERVALS = (
    *("user_id", "date", "source"),
    *(name for name in NUMBERS if name in COMBINABLE and not name.startswith("sleep_")),
)
#: Columns that rows of a workout may have.
OF_WORKOUTS = (
    *("user_id", "date", "activity_type", "minutes", "distance_km", "calories_burned"),
    *("heart_rate_avg", "heart_rate_max"),
)
_CONSTANTS_OF_WORKOUTS = ("user_id", "source", "activity_type")
#: The column of the time of day.
TIME = "time"
_MISSING_PARTS = ("missing", "zero")
_TYPE_NAMES = {"dict": "a table", "list": "a list of strings", "str": "a string"}
_KEYS = {
    "columns",
    "constants",
    "date_format",
    "decimal",
    "delimiter",
    "encoding",
    "missing",
    "rows",
    "zero_is_missing",
}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The columns of a tidy file.

    Attributes
    ----------
    columns : mapping
        By canonical column, the file's column and the factor to the canonical unit.
    combined : mapping
        By canonical column, the several columns of the file that give it.
    rows : str
        What a row stands for: a key of `ROWS`.
    time : str or None
        The file's column of the time of day, if a row stands for a part of a day.
    constants : mapping
        By canonical column, the value of every row.
    values : mapping
        By canonical column, the values of the codes in the file's column, in the canonical unit.
    date_format : str or None
        In the notation of `datetime.strptime`; None for ``2023-04-30``.
    delimiter : str or None
        Between the values of a CSV; None to detect it.
    decimal : str or None
        ``.`` or ``,``; None to detect it from all numbers of a file.
    encoding : str or None
        Name of the encoding of a CSV; None to detect it.
    missing : frozenset of str
        Texts that stand for a missing value.
    zero_is_missing : frozenset of str
        Canonical columns in which zero is a missing value.
    """

    columns: Mapping[str, tuple[str, float]]
    constants: Mapping[str, Any]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    date_format: str | None = None
    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: frozenset[str] = _MISSING
    zero_is_missing: frozenset[str] = frozenset()
    combined: Mapping[str, Combined] = field(default_factory=dict)
    rows: str = "day"
    time: str | None = None


#: The layout of a file with canonical column names and units. Columns may be absent.
CANONICAL = Layout(columns={name: (name, 1.0) for name in FULL_SCHEMA.names}, constants={})


def load(path: Path) -> Layout:
    """The layout in a TOML file.

    Raises
    ------
    SourceError
        With the path, and the key that is wrong.
    """
    try:
        declared = tomllib.loads(read_text(path, MAX_TOML_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return parse(declared)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


def parse(declared: Mapping[str, Any]) -> Layout:
    """The layout of a parsed TOML document.

    Raises
    ------
    SourceError
        With the key that is wrong.
    """
    _check_names("", declared, _KEYS)
    tables = {
        key: dict(_typed(declared.get(key, {}), dict, key)) for key in ("columns", "constants")
    }
    rows = _one_of(declared, "rows", ROWS) or "day"
    names, constant_names = _allowed(rows)
    about = "" if rows == "day" else f" in {ROWS[rows]}"
    _check_names("columns.", tables["columns"], names, about)
    _check_names("constants.", tables["constants"], constant_names, about)
    for name in tables["columns"].keys() & tables["constants"].keys():
        raise SourceError(f"constants.{name} is also a column")
    time = tables["columns"].pop(TIME, None) if rows != "day" else None
    columns, combined = {}, {}
    for name, value in tables["columns"].items():
        column = _column(name, value)
        if isinstance(column, Combined):
            combined[name] = column
        else:
            columns[name] = column
    constants = {
        name: _canonical_value(f"constants.{name}", name, value)
        for name, value in tables["constants"].items()
    }
    if "date" not in columns:
        raise SourceError("columns.date is missing")
    if rows == "workout" and "minutes" not in columns:
        raise SourceError("columns.minutes is missing: it is the duration of a workout")
    has_energy = rows != "workout" and "calories_burned" in columns | combined
    if has_energy and "calories_kind" not in columns | constants:
        raise SourceError("constants.calories_kind is missing: set it to total or active")
    date_format = _date_format(declared)
    zero_is_missing = _strings(declared, "zero_is_missing")
    _check_names("zero_is_missing: ", zero_is_missing, FULL_SCHEMA.names)
    delimiter = _string(declared, "delimiter")
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '\r\n"'):
        raise SourceError(f"delimiter is {shorten(delimiter)}, not one character")
    decimal = _string(declared, "decimal")
    if decimal not in {None, ".", ","}:
        raise SourceError(f"decimal is {shorten(decimal)}, not a point or a comma")
    return Layout(
        columns=columns,
        constants=constants,
        values={name: _codes(name, value) for name, value in tables["columns"].items()},
        date_format=date_format,
        delimiter=delimiter,
        decimal=decimal,
        encoding=_encoding(declared),
        missing=_MISSING | _strings(declared, "missing"),
        zero_is_missing=zero_is_missing,
        combined=combined,
        rows=rows,
        time=None if time is None else _typed(time, str, f"columns.{TIME}"),
    )


def _allowed(rows: str) -> tuple[Sequence[str], Sequence[str]]:
    """The names of columns and of constants of a layout, by what a row stands for."""
    if rows == "day":
        return FULL_SCHEMA.names, FULL_SCHEMA.names
    if rows == "workout":
        return (*OF_WORKOUTS, TIME), _CONSTANTS_OF_WORKOUTS
    return (*OF_INTERVALS, TIME), FULL_SCHEMA.names


def as_json_values(layout: Layout) -> dict[str, Any]:
    """The fields of a layout as JSON values, such as an import stores them.

    Fields that earlier versions lack are left out where they say nothing, so that an export that
    such a version imported with the same layout counts as already imported.
    """
    later: dict[str, Any] = {"combined": {}, "rows": "day", "time": None}
    fields = asdict(layout)
    kept = {
        name: value for name, value in fields.items() if name not in later or value != later[name]
    }
    values: dict[str, Any] = json.loads(json.dumps(kept, default=sorted))
    return values


def _column(name: str, declared: Any) -> tuple[str, float] | Combined:
    """The file's column for a canonical one, and the factor to the canonical unit; or several."""
    key = f"columns.{name}"
    if isinstance(declared, str):
        return declared, 1.0
    if isinstance(declared, list):
        declared = {"column": declared}
    keys = {"column", "columns", "missing_part", "unit", "values"}
    _check_names(f"{key}.", _typed(declared, dict, key), keys)
    if len({"column", "columns"} & declared.keys()) != 1:
        what = "is missing" if "columns" not in declared else "and columns exclude each other"
        raise SourceError(f"{key}.column {what}")
    factor = _factor(name, declared)
    if "columns" not in declared and not isinstance(declared["column"], list):
        if "missing_part" in declared:
            raise SourceError(f"{key}.missing_part is for a list of columns")
        return _typed(declared["column"], str, f"{key}.column"), factor
    if name not in COMBINABLE:
        combinable = ", ".join(sorted(COMBINABLE))
        raise SourceError(f"{key} has several columns; only these may have: {combinable}")
    if "values" in declared:
        raise SourceError(f"{key}.values is for one column")
    missing_part = _one_of(declared, "missing_part", _MISSING_PARTS, f"{key}.")
    if "columns" in declared:
        pattern = _typed(declared["columns"], str, f"{key}.columns")
        if pattern.count("*") != 1:
            raise SourceError(
                f"{key}.columns is {shorten(pattern)}, without one * for a number or a time of day"
            )
        return Combined(pattern=pattern, factor=factor, missing_part=missing_part)
    parts = tuple(_typed(each, str, f"{key}.column") for each in declared["column"])
    if len(set(parts)) != len(parts) or not parts:
        raise SourceError(f"{key}.column is {shorten(declared['column'])}, not different columns")
    return Combined(columns=parts, factor=factor, missing_part=missing_part or "missing")


def _factor(name: str, declared: Mapping[str, Any]) -> float:
    """The factor from the declared unit to that of the canonical column `name`."""
    key = f"columns.{name}.unit"
    units = UNITS.get(name, {})
    unit = declared.get("unit", next(iter(units), None))
    if units and (not isinstance(unit, str) or unit not in units):
        raise SourceError(f"{key} is {shorten(unit)}, not one of {', '.join(units)}")
    if not units and "unit" in declared:
        raise SourceError(f"{key}: {name} has only one unit")
    return units[unit] if units else 1.0


def _codes(name: str, declared: Any) -> dict[str, Any]:
    """The values of the codes of a column; empty if it has none."""
    key = f"columns.{name}.values"
    if isinstance(declared, dict) and "values" in declared and name not in FULL_SCHEMA.names:
        raise SourceError(f"{key} is not for {name}")
    codes = (
        {} if isinstance(declared, str | list) else _typed(declared.get("values", {}), dict, key)
    )
    return {code: _canonical_value(f"{key}.{code}", name, value) for code, value in codes.items()}


def _canonical_value(key: str, name: str, declared: Any) -> Any:
    """A value as the canonical column `name` holds it."""
    column_type = FULL_SCHEMA.field(name).type
    try:
        value = pa.scalar(declared, column_type).as_py()
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise SourceError(f"{key} is {shorten(declared)}, not {column_type}") from error
    if name == "calories_kind" and value not in {"total", "active"}:
        raise SourceError(f"{key} is {shorten(declared)}, not total or active")
    return value


def _date_format(declared: Mapping[str, Any]) -> str | None:
    text = _string(declared, "date_format")
    if text is not None:
        try:
            datetime.strptime(datetime(2023, 4, 30, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007 - only the format is tested
        except (ValueError, re.error) as error:
            raise SourceError(
                f"date_format is {shorten(text)}, which is no format of dates"
            ) from error
    return text


def _encoding(declared: Mapping[str, Any]) -> str | None:
    """The declared encoding; None for UTF-16 and UTF-32, which are read as UTF-8 everywhere."""
    encoding = _string(declared, "encoding")
    if encoding is None:
        return None
    try:
        known = codecs.lookup(encoding)
        # As a table is read. Some encodings of names and addresses cannot be read so.
        b"a".decode(encoding, "surrogateescape")
    except (LookupError, ValueError) as error:
        raise SourceError(f"encoding is {shorten(encoding)}, which is not known") from error
    return None if known.name.startswith(("utf-16", "utf-32")) else known.name


def _string(declared: Mapping[str, Any], key: str) -> str | None:
    value = declared.get(key)
    return None if value is None else str(_typed(value, str, key))


def _one_of(
    declared: Mapping[str, Any], key: str, known: Iterable[str], prefix: str = ""
) -> str | None:
    value = declared.get(key)
    if value is not None and (not isinstance(value, str) or value not in known):
        raise SourceError(f"{prefix}{key} is {shorten(value)}, not one of {', '.join(known)}")
    return value


def _strings(declared: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(_typed(each, str, key) for each in _typed(declared.get(key, []), list, key))


def _typed(value: Any, expected: type, key: str) -> Any:
    if not isinstance(value, expected):
        raise SourceError(f"{key} is {shorten(value)}, not {_TYPE_NAMES[expected.__name__]}")
    return value


def _check_names(
    prefix: str, names: Iterable[str], known: Collection[str], about: str = ""
) -> None:
    for name in names:
        if name not in known:
            allowed = ", ".join(sorted(known))
            raise SourceError(
                f"{prefix}{shorten(name)[1:-1]} is unknown{about}; known are {allowed}"
            )
