"""A layout to begin with, for a table that no format reads: a person checks and completes it."""

import json
import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, product

from fitness_assets.errors import SourceError
from fitness_assets.record import workouts
from fitness_assets.record.raw import FULL_SCHEMA, NUMBERS
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.column_words import Guess, guess_columns
from fitness_assets.sources.exports.combined_columns import COMBINABLE
from fitness_assets.sources.exports.date_order import detect_date_order
from fitness_assets.sources.exports.layout import OF_INTERVALS, OF_WORKOUTS, TIME, UNITS
from fitness_assets.sources.exports.tables import Table

_ROWS, _DISTINCT = 2_000, 400
_HOURS = 24
# Columns that differ only in a number are those of minutes or hours from this number on.
_MIN_PATTERN = 12
_NUMBER_IN_NAME = re.compile(r"\d{1,4}(:\d\d){0,2}")
_DECIMAL_COMMA = re.compile(r"-?\d+,\d{1,2}")
_MOST = 0.5
_DURATION = re.compile(r"\d{1,4}:\d\d:\d\d(\.\d+)?")
# By what a row stands for, the columns that it may have, and what it is.
_ALLOWED = {
    "day": FULL_SCHEMA.names,
    "hour": (*OF_INTERVALS, TIME),
    "minute": (*OF_INTERVALS, TIME),
    "workout": (*OF_WORKOUTS, TIME),
}
_MEANINGS = {"hour": "an hour", "minute": "a minute", "workout": "a workout"}
_DATES = [
    separator.join(parts)
    for separator, parts in product(
        "./-", (("%d", "%m", "%Y"), ("%m", "%d", "%Y"), ("%d", "%m", "%y"), ("%m", "%d", "%y"))
    )
]
_TIMES = ("", " %H:%M", " %H:%M:%S", ", %H:%M", ", %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
_ISO = re.compile(r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}")
#: The unit that the values of a column have if they are over a limit, and its name states none.
_LARGE = {
    "distance_km": ((300, "m"),),
    "sleep_hours": ((24, "min"), (1440, "s"), (86_400, "ms")),
    "spo2": (),
    **{
        name: ((1440, "s"), (86_400, "ms"))
        for name, units in UNITS.items()
        if next(iter(units)) == "min"
    },
}


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A layout to begin with.

    Attributes
    ----------
    text : str
        The TOML document.
    problem : str
        Why it cannot be used before a person completes it; empty if it can be.
    """

    text: str
    problem: str


def draft_layout(member: Member) -> Draft:
    """A layout for a table, guessed from the names and the first values of its columns.

    It quotes no value of the table but one date.

    Raises
    ------
    SourceError
        If it cannot be read.
    """
    return _Drafter(member).draft()


class _Drafter:
    def __init__(self, member: Member) -> None:
        self._member = member
        table = Table(member, lambda *_: None)
        rows = [row for _, row in islice(table.records(), _ROWS)]
        self._names = list(dict.fromkeys(name for name in table.names if name))
        self._values = {
            name: [row[name].strip() for row in rows if row.get(name, "").strip()]
            for name in self._names
        }
        self._rows = len(rows)

    def draft(self) -> Draft:
        patterns = self._patterns()
        in_patterns = {name for names in patterns.values() for name in names}
        names = [name for name in self._names if name not in in_patterns]
        guesses = guess_columns(names, self._fits)
        by_canonical = {guess.name: name for name, guess in guesses.items()}
        date = by_canonical.get("date")
        rows = self._kind_of_rows(by_canonical)
        allowed = _ALLOWED[rows]
        lines = list(self._head(date, rows))
        lines += ["", "[columns]"]
        if date is None:
            lines.append('# date = ""  # CHECK: no column looks like a date; name it here')
        if "user_id" not in by_canonical:
            lines.append("# No column names the user: import with --user NAME.")
        used = set(in_patterns)
        for name, guess in guesses.items():
            if guess.name in allowed:
                lines.append(self._line(name, guess))
                used.add(name)
        for pattern in patterns:
            guess = next(iter(guess_columns([pattern], lambda *_: True).values()), Guess("steps"))
            canonical = guess.name if guess.name in COMBINABLE else "steps"
            if canonical not in by_canonical:
                lines.append(
                    f"{canonical} = {{ columns = {_quoted(pattern)} }}  # CHECK: a column for each "
                    "minute or hour"
                )
        unused = [name for name in self._names if name not in used]
        if unused:
            lines += ["", f"# Not used: {', '.join(map(_quoted, unused))}"]
        if "calories_burned" in by_canonical and rows != "workout":
            is_active = "activ" in by_canonical["calories_burned"].lower()
            kind = "active" if is_active else "total"
            lines += [
                "",
                "[constants]",
                f'calories_kind = "{kind}"  # CHECK: total contains the energy burned at rest',
            ]
        problem = "no column looks like a date" if date is None else ""
        has_numbers = rows == "workout" or by_canonical.keys() & NUMBERS.keys() or patterns
        if not problem and not has_numbers:
            problem = "no column looks like a number of the record"
        return Draft(text="\n".join([*lines, ""]), problem=problem)

    def _head(self, date: str | None, rows: str) -> Iterator[str]:
        yield (
            f"# A layout to begin with for {_comment(self._member.name)}: guessed from its columns "
            f"and {self._rows:,} rows."
        )
        yield "# Check every line, then import the file with --layout and the name of this file."
        if rows != "day":
            yield f'rows = "{rows}"  # CHECK: a row is {_MEANINGS[rows]}'
        style = self._date_format(date) if date is not None else None
        if date is not None and style:
            yield f"date_format = {_quoted(style)}  # CHECK: such as {self._values[date][0]}"

    def _line(self, name: str, guess: Guess) -> str:
        if guess.name not in UNITS:
            return f"{guess.name} = {_quoted(name)}  # CHECK"
        unit = guess.unit or self._unit_of_values(guess.name, name)
        why = "CHECK" if guess.unit else "CHECK the unit, which the name does not state"
        return f'{guess.name} = {{ column = {_quoted(name)}, unit = "{unit}" }}  # {why}'

    def _unit_of_values(self, canonical: str, name: str) -> str:
        numbers = self._numbers(name)
        found = next(iter(UNITS[canonical]))
        middle = statistics.median(numbers) if numbers else 0.0
        if canonical == "spo2" and 0 < middle <= 1:
            return "fraction"
        if canonical == "height_cm" and 0 < middle < 3:  # noqa: PLR2004 - metres
            return "m"
        for limit, unit in _LARGE.get(canonical, ()):
            if middle > limit:
                found = unit
        return found

    def _fits(self, canonical: str, name: str) -> bool:
        """Whether most values are of the kind of the canonical column."""
        values = self._values[name]
        if canonical == "date":
            return bool(values) and self._date_format(name) is not None
        if canonical == TIME:
            return bool(values) and all(_NUMBER_IN_NAME.fullmatch(value) for value in values)
        if canonical == "minutes" and all(map(_DURATION.fullmatch, values)):
            return bool(values)
        if canonical not in NUMBERS and canonical not in workouts.NUMBERS:
            return True
        return len(self._numbers(name)) >= _MOST * len(values)

    def _numbers(self, name: str) -> list[float]:
        found = []
        for value in self._values[name]:
            text = value.replace(",", ".") if _DECIMAL_COMMA.fullmatch(value) else value
            try:
                amount = parsing.parse_amount(text)
            except ValueError:
                continue
            if amount is not None:
                found.append(amount)
        return found

    def _date_format(self, name: str) -> str | None:
        """The format of most dates; empty if none needs to be declared, None if there is none."""
        values = self._values[name]
        if sum(bool(_ISO.match(value)) for value in values) > _MOST * len(values):
            return ""
        distinct = list(dict.fromkeys(values))[:_DISTINCT]
        counts = Counter(style for value in distinct for style in _styles(value))
        if not counts or max(counts.values()) <= _MOST * len(distinct):
            return None
        try:
            dates = {parsing.date_part(value.replace(",", " ")) for value in distinct}
            order = detect_date_order(dates, self._member.name)
        except SourceError:
            order = ""

        def fit(style: str) -> tuple[int, bool, int]:
            # Without evidence, the first style: the day before the month.
            is_of_order = [letter.lower() for letter in style if letter in "dmyY"][:3] == [*order]
            return counts[style], is_of_order, -_ALL_STYLES.index(style)

        return max(counts, key=fit)

    def _kind_of_rows(self, by_canonical: Mapping[str, str]) -> str:
        """What a row stands for.

        It is a workout if it has an activity, a duration and a time of day, else a day, unless days
        have several rows at different times.
        """
        date, time = by_canonical.get("date"), by_canonical.get(TIME)
        if date is None:
            return "day"
        stamps = self._values[date]
        days = Counter(parsing.date_part(stamp.replace(",", " ")) for stamp in stamps)
        has_times = time is not None or any(":" in each for each in stamps)
        if has_times and {"minutes", "activity_type"} <= by_canonical.keys():
            return "workout"
        if not has_times or len(stamps) < 2 * len(days):
            return "day"
        times = self._values[time] if time is not None else stamps
        minutes = {minute for each in times if (minute := each.partition(":")[2][:2])}
        are_minutes = any(each.isdecimal() and int(each) >= _HOURS for each in times)
        return "hour" if minutes <= {"00"} and not are_minutes else "minute"

    def _patterns(self) -> dict[str, list[str]]:
        """The columns that differ only in one number or time of day, by their common name."""
        groups: dict[str, list[str]] = defaultdict(list)
        for name in self._names:
            numbers = list(_NUMBER_IN_NAME.finditer(name))
            if len(numbers) == 1:
                groups[f"{name[: numbers[0].start()]}*{name[numbers[0].end() :]}"].append(name)
        return {pattern: names for pattern, names in groups.items() if len(names) >= _MIN_PATTERN}


_ALL_STYLES = [date + time for date, time in product(_DATES, _TIMES)]


def _styles(value: str) -> Iterator[str]:
    for style in _ALL_STYLES:
        try:
            datetime.strptime(value, style)  # noqa: DTZ007 - only the format is tested
        except ValueError:
            continue
        yield style


def _quoted(text: str) -> str:
    """A TOML string."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _comment(text: str) -> str:
    return text if text.isprintable() else _quoted(text)
