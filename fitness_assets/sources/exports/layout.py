"""What the columns of a tidy file mean, as a small TOML file declares it.

date_format = "%d/%m/%Y"             # else as 2023-04-30
delimiter = ";"                      # else a comma
missing = ["-1"]                     # besides what is blank, NA, NaN, null or None
zero_is_missing = ["heart_rate_avg"]

[columns]                            # ours = theirs
user_id = "Participant"
date = "Day"
distance_km = { column = "Miles", unit = "mi" }
calories_burned = "Energy"
age = { column = "Age", values = { "<30" = 25, ">=30" = 40 } }   # of codes what they mean

[constants]                          # what no column says
calories_kind = "total"
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from fitness_assets.errors import SourceError
from fitness_assets.record.raw import SCHEMA

_MISSING = frozenset({"", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"})
_TIME_H = {"h": 1.0, "min": 1 / 60, "s": 1 / 3600, "ms": 1 / 3_600_000}
_TIME_MIN = {"min": 1.0, "h": 60.0, "s": 1 / 60, "ms": 1 / 60_000}
#: What one of each unit is in ours, which comes first.
UNITS = {
    "distance_km": {"km": 1.0, "m": 0.001, "cm": 0.00001, "mi": 1.609344},
    "calories_burned": {"kcal": 1.0, "kJ": 1 / 4.184},
    "sleep_hours": _TIME_H,
    "active_minutes": _TIME_MIN,
    "sedentary_minutes": _TIME_MIN,
    "height_cm": {"cm": 1.0, "m": 100.0, "in": 2.54},
    "weight_kg": {"kg": 1.0, "g": 0.001, "lb": 0.45359237},
}
_KINDS = {"dict": "a table", "list": "a list of texts", "str": "a text"}
_KEYS = {"date_format", "delimiter", "missing", "zero_is_missing", "columns", "constants"}


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What the columns of a file mean.

    Attributes
    ----------
    columns : mapping
        By canonical name, the file's column and the factor to our unit.
    constants : mapping
        Values of canonical columns that no column of the file says.
    values : mapping
        By canonical name, what the codes in the file's column mean, in our unit.
    date_format : str or None
        As `datetime.strptime` has it; None for ``2023-04-30``.
    delimiter : str
        Between the values of a CSV.
    missing : frozenset of str
        Texts that mean that there is no value.
    zero_is_missing : frozenset of str
        Canonical columns of which a zero means that there is no value.
    """

    columns: Mapping[str, tuple[str, float]]
    constants: Mapping[str, Any]
    values: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    date_format: str | None = None
    delimiter: str = ","
    missing: frozenset[str] = _MISSING
    zero_is_missing: frozenset[str] = frozenset()


#: Of a file that has our own names and units, as far as it has them.
CANONICAL = Layout(columns={name: (name, 1.0) for name in SCHEMA.names}, constants={})


def load(path: Path) -> Layout:
    """The layout that a TOML file declares.

    Raises
    ------
    SourceError
        Naming the key that is wrong.
    """
    try:
        declared = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} cannot be read as TOML: {error}") from error
    try:
        return parse(declared)
    except SourceError as error:
        raise SourceError(f"{path}: {error}") from error


def parse(declared: Mapping[str, Any]) -> Layout:
    """The layout declared.

    Raises
    ------
    SourceError
        Naming the key that is wrong.
    """
    _known("", declared, _KEYS)
    tables = {key: _of(declared.get(key, {}), dict, key) for key in ("columns", "constants")}
    for key, table in tables.items():
        _known(f"{key}.", table, SCHEMA.names)
    for name in tables["columns"].keys() & tables["constants"].keys():
        raise SourceError(f"constants.{name} is also a column")
    columns = {name: _column(name, told) for name, told in tables["columns"].items()}
    constants = {
        name: _of_type(f"constants.{name}", name, told)
        for name, told in tables["constants"].items()
    }
    if "date" not in columns:
        raise SourceError("columns.date is missing")
    if "calories_burned" in columns and "calories_kind" not in columns | constants:
        raise SourceError("constants.calories_kind is missing: say total or active")
    date_format = declared.get("date_format")
    zeros = _texts(declared, "zero_is_missing")
    _known("zero_is_missing: ", dict.fromkeys(zeros), SCHEMA.names)
    delimiter = _of(declared.get("delimiter", ","), str, "delimiter")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise SourceError(f"delimiter is {delimiter!r}, not one character")
    return Layout(
        columns=columns,
        constants=constants,
        values={name: _codes(name, told) for name, told in tables["columns"].items()},
        date_format=None if date_format is None else _of(date_format, str, "date_format"),
        delimiter=delimiter,
        missing=_MISSING | _texts(declared, "missing"),
        zero_is_missing=zeros,
    )


def _column(name: str, told: Any) -> tuple[str, float]:
    key = f"columns.{name}"
    if isinstance(told, str):
        return told, 1.0
    _known(f"{key}.", _of(told, dict, key), {"column", "unit", "values"})
    if "column" not in told:
        raise SourceError(f"{key}.column is missing")
    units = UNITS.get(name, {})
    unit = told.get("unit", next(iter(units), None))
    if units and unit not in units:
        raise SourceError(f"{key}.unit is {unit!r}, not one of {', '.join(units)}")
    if not units and "unit" in told:
        raise SourceError(f"{key}.unit: {name} has no unit to choose")
    return _of(told["column"], str, f"{key}.column"), units.get(unit, 1.0)


def _codes(name: str, told: Any) -> dict[str, Any]:
    key = f"columns.{name}.values"
    codes = {} if isinstance(told, str) else _of(told.get("values", {}), dict, key)
    return {code: _of_type(f"{key}.{code}", name, value) for code, value in codes.items()}


def _of_type(key: str, name: str, told: Any) -> Any:
    kind = SCHEMA.field(name).type
    try:
        value = pa.scalar(told, kind).as_py()
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise SourceError(f"{key} is {told!r}, not {kind}") from error
    if name == "calories_kind" and value not in {"total", "active"}:
        raise SourceError(f"{key} is {told!r}, not total or active")
    return value


def _texts(declared: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(_of(text, str, key) for text in _of(declared.get(key, []), list, key))


def _of(value: Any, kind: type, key: str) -> Any:
    if not isinstance(value, kind):
        raise SourceError(f"{key} is {value!r}, not {_KINDS[kind.__name__]}")
    return value


def _known(prefix: str, told: Mapping[str, Any], names: "set[str] | list[str]") -> None:
    for name in told:
        if name not in names:
            raise SourceError(f"{prefix}{name} is unknown; there are {', '.join(sorted(names))}")
