"""The days of one person, read from the lake with the data versions that they come from."""

import dataclasses
import difflib
import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.answers.periods import Period, parse_period
from fitness_assets.errors import QuestionError, StorageError
from fitness_assets.formatting import number
from fitness_assets.record import raw
from fitness_assets.record.buckets import EVERYONE
from fitness_assets.record.daily import SCHEMA
from fitness_assets.storage.lake import DailyInfo, Lake, TableInfo
from fitness_assets.text import printable, shorten

#: The columns that questions are about. Traits that hardly change, such as age, are not.
MEASURES = (*raw.MEASUREMENTS, "weight_kg")
#: Limit on the rows that are read for one question: about 5 s.
MAX_ROWS = 5_000_000
#: Digits of a data version that are shown: two of a million versions share them with probability
#: below 1e-7 each.
VERSION_DIGITS = 12
# Users that a message lists.
_LISTED = 5
# How often a month is read again because it was published meanwhile.
_ATTEMPTS = 5
#: The asset that has the days.
DAILY = "daily_activity"
_UNREAD = ("ingested_at", "calories_per_step")

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sources:
    """The months that numbers come from.

    Attributes
    ----------
    versions : mapping of str to str
        Data version by month, in order.
    asset : str
    """

    versions: Mapping[str, str]
    asset: str = DAILY

    @property
    def digest(self) -> str:
        """SHA-256 of the lines "MONTH VERSION", joined by line feeds, shortened.

        A single month has its data version, shortened.
        """
        if len(self.versions) == 1:
            return next(iter(self.versions.values()))[:VERSION_DIGITS]
        lines = "\n".join(f"{month} {version}" for month, version in self.versions.items())
        return hashlib.sha256(lines.encode()).hexdigest()[:VERSION_DIGITS]

    def __str__(self) -> str:
        months = list(self.versions)
        of = "" if self.asset == DAILY else f"{self.asset} "
        if not months:
            return f"{of}no month"
        if len(months) == 1:
            return f"{of}{months[0]} @{self.digest}"
        return f"{of}{months[0]}..{months[-1]} ({len(months)} months) @{self.digest}"


@dataclass(frozen=True)
class Days:
    """The days of one person in a period.

    Attributes
    ----------
    user : str
    period : Period
    table : Table
        Rows of `daily_activity`, sorted by date, one per day.
    sources : Sources
        The months of the period that the lake has.
    absent : list of str
        The months of the period that the lake does not have.
    partial_until : date or None
        Last day so far of the period's partial month, if it has one.
    """

    user: str
    period: Period
    table: pa.Table
    sources: Sources
    absent: list[str]
    partial_until: date | None = None

    @cached_property
    def expected(self) -> list[date]:
        """The days of the period in months that the lake has, so far as these go."""
        return [
            day
            for day in _each(self.period)
            if f"{day:%Y-%m}" in self.sources.versions
            and (self.partial_until is None or day <= self.partial_until)
        ]

    @cached_property
    def dates(self) -> list[date]:
        """The days that have a record."""
        found: list[date] = self.table["date"].to_pylist()
        return found

    @cached_property
    def worn(self) -> npt.NDArray[np.bool_]:
        """Whether the device was worn, by record."""
        return np.asarray(self.table["worn"].combine_chunks().fill_null(False))

    def missing(self) -> list[date]:
        """The expected days without a record."""
        present = set(self.dates)
        return [day for day in self.expected if day not in present]

    def values(self, measure: str) -> tuple[list[date], Floats]:
        """The days on which the device was worn and `measure` is known, and its values."""
        column = self.table[measure].combine_chunks().cast(pa.float64())
        numbers = np.asarray(column.fill_null(np.nan), np.float64)
        known = ~np.isnan(numbers) & self.worn
        return [self.dates[place] for place in np.flatnonzero(known)], numbers[known]

    def within(self, period: Period) -> "Days":
        """The part of the days that is in `period`, which is part of the period of `self`."""
        dates = self.table["date"]
        kept = pc.and_(
            pc.greater_equal(dates, pa.scalar(period.first, pa.date32())),
            pc.less_equal(dates, pa.scalar(period.last, pa.date32())),
        )
        own = set(period.months())
        versions = {
            month: version for month, version in self.sources.versions.items() if month in own
        }
        return Days(
            user=self.user,
            period=period,
            table=self.table.filter(kept),
            sources=Sources(versions),
            absent=[month for month in self.absent if month in own],
            partial_until=self._partial_in(own),
        )

    def in_months(self, kept: Collection[str]) -> "Days":
        """The days of the months `kept`; the period stays."""
        months = self.table["date"].cast(pa.timestamp("s"))
        chosen = pc.is_in(pc.strftime(months, "%Y-%m"), pa.array(sorted(kept), pa.string()))
        versions = {
            month: version for month, version in self.sources.versions.items() if month in kept
        }
        return dataclasses.replace(self, table=self.table.filter(chosen), sources=Sources(versions))

    def _partial_in(self, months: Collection[str]) -> date | None:
        last = self.partial_until
        return last if last is not None and f"{last:%Y-%m}" in months else None


@dataclass(frozen=True)
class Person:
    """One person of the lake.

    Attributes
    ----------
    user : str
        Id in the lake.
    first, last : date
        First and last day with a record.
    days, worn : int
        Days with a record, and those on which the device was worn.
    """

    user: str
    first: date
    last: date
    days: int
    worn: int


@dataclass(frozen=True)
class Records:
    """The lake, as a reader of questions sees it.

    Attributes
    ----------
    daily : Lake
        Of `daily_activity`.
    workouts : Lake
        Of `workouts`.
    possible_ids : callable
        Gives the ids that a name can be stored under.
    is_forgotten : callable
        Says whether a user id must not be shown, because its data is being removed.
    only : str or None
        The one user that questions may be about; None for all.
    names : mapping of str to str
        Imported names by id that messages may show; empty where they must not.
    """

    daily: Lake[DailyInfo]
    workouts: Lake[TableInfo]
    possible_ids: Callable[[str], Sequence[str]]
    is_forgotten: Callable[[str], bool]
    only: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)

    def of(self, name: str) -> "Records":
        """The records of the user called `name` only; errors are those of `find_user`."""
        return dataclasses.replace(self, only=self.find_user(name))

    def months(self) -> list[str]:
        """The months that the lake has, in order.

        Raises
        ------
        QuestionError
            If it has none.
        """
        found = [month for month in self.daily.months() if self.daily.manifest(month)]
        if not found:
            raise QuestionError("the lake has no month; run `fitness backfill`")
        return found

    def months_of(self, period: Period) -> list[str]:
        """The months of `period` that the lake has; QuestionError if it has none of them."""
        stored = self.months()
        wanted = [month for month in period.months() if month in set(stored)]
        if not wanted:
            raise QuestionError(
                f"the lake has nothing of {period}; it has {stored[0]} to {stored[-1]}"
            )
        return wanted

    def find_user(self, name: str | None) -> str:
        """The id of the user called `name`, a name or an id; without a name, that of the only user.

        Raises
        ------
        QuestionError
            If there is no such user, or no name and several users. The message names some.
        """
        if name is None:
            return self._only_user()
        ids = [each for each in self.possible_ids(name) if not self.is_forgotten(each)]
        for month in reversed(self.months()):
            for each in ids:
                if self._has(month, each):
                    return each
        called = self._called(self._some_users())
        close = difflib.get_close_matches(name, called, _LISTED, cutoff=0.6)
        hint = f"did you mean {_listed(close)}?" if close else f"the lake has {_listed(called)}"
        raise QuestionError(f"there is no user called {shorten(name)}; {hint}")

    def _only_user(self) -> str:
        seen = self._some_users()
        if len(seen) > 1:
            raise QuestionError(
                f"the lake has several users; name one of them: {_listed(self._called(seen))}"
            )
        if not seen:
            raise QuestionError("the lake has no user")
        return seen.pop()

    def _some_users(self) -> set[str]:
        """The users of the lake; if it has more than `MAX_ROWS` rows, some of the newest month."""
        months, users = self.months(), EVERYONE
        if sum(self.daily.info(month).rows for month in months) > MAX_ROWS:
            months = months[-1:]
            users = self.daily.sample(months, MAX_ROWS)
        table = self.daily.scan(months, ["user_id"], users).table
        return {user for user in pc.unique(table["user_id"]).to_pylist() if self._is_shown(user)}

    def _called(self, users: Collection[str]) -> list[str]:
        return sorted(self.names.get(user, user) for user in users)

    def people(self) -> tuple[list[Person], Sources]:
        """Every person of the lake, sorted by id, and the months that were read."""
        parts = []
        versions = {}
        for month in self._bounded(self.months()):
            table, versions[month], _ = self._read(month, ["user_id", "date", "worn"])
            days = table.group_by("user_id").aggregate(
                [("date", "min"), ("date", "max"), ("date", "count"), ("worn", "sum")]
            )
            parts.append(days)
        merged = (
            pa.concat_tables(parts)
            .group_by("user_id")
            .aggregate(
                [
                    ("date_min", "min"),
                    ("date_max", "max"),
                    ("date_count", "sum"),
                    ("worn_sum", "sum"),
                ]
            )
        )
        people = [
            Person(
                user=row["user_id"],
                first=row["date_min_min"],
                last=row["date_max_max"],
                days=row["date_count_sum"],
                worn=row["worn_sum_sum"] or 0,
            )
            for row in merged.sort_by("user_id").to_pylist()
            if self._is_shown(row["user_id"])
        ]
        return people, Sources(versions)

    def read(self, user: str, period: Period) -> Days:
        """The days of `user`, an id of the lake, in `period`.

        Raises
        ------
        QuestionError
            If the lake has no month of the period, or the period has more than `MAX_ROWS` rows of
            all users.
        """
        wanted = self.months_of(period)
        columns = [name for name in SCHEMA.names if name not in _UNREAD]
        parts, versions, last = [], {}, None
        for month in bounded(self.daily, wanted, user):
            table, versions[month], partial = read_month(
                self.daily, month, columns, raw.OPTIONAL, user
            )
            parts.append(table.filter(pc.equal(table["user_id"], user)))
            last = partial or last
        table = pa.concat_tables(parts, promote_options="default").sort_by("date")
        absent = [month for month in period.months() if month not in versions]
        days = Days(user, period, table, Sources(versions), absent, last)
        return days.within(period)

    def newest_month(self, user: str) -> Period:
        """The newest month with a record of `user`, an id; QuestionError if there is none."""
        for month in reversed(self.months()):
            if self._has(month, user):
                return parse_period(month)
        raise QuestionError(f"the lake has no day of {shorten(user)}")

    def _has(self, month: str, user: str) -> bool:
        """Whether a month has days of `user` that may be shown, from the bucket of the user."""
        if not self._is_shown(user):
            return False
        users = read_month(self.daily, month, ["user_id"], user=user)[0]["user_id"]
        found: bool = pc.is_in(pa.array([user]), value_set=pc.unique(users))[0].as_py()
        return found

    def _is_shown(self, user: str) -> bool:
        return (self.only is None or user == self.only) and not self.is_forgotten(user)

    def _bounded(self, months: list[str]) -> list[str]:
        return bounded(self.daily, months)

    def _read(self, month: str, columns: Sequence[str]) -> tuple[pa.Table, str, date | None]:
        """Columns of a month, its data version, and its last day so far if it is partial.

        The optional columns that the month has are read too.
        """
        return read_month(self.daily, month, columns, raw.OPTIONAL)


def bounded(lake: Lake[TableInfo], months: list[str], user: str | None = None) -> list[str]:
    """`months`; QuestionError if they have more than `MAX_ROWS` rows to read.

    They are those of all users, or of the buckets of `user`.
    """
    infos = [lake.info(month) for month in months]
    rows = sum(info.rows // (1 if user is None else info.bucket_count) for info in infos)
    if rows > MAX_ROWS:
        raise QuestionError(
            f"{months[0]} to {months[-1]} have {number(rows)} rows, more than "
            f"{number(MAX_ROWS)} of one question; ask for fewer months"
        )
    return months


def read_month(
    lake: Lake[TableInfo],
    month: str,
    columns: Sequence[str],
    optional: Sequence[str] = (),
    user: str | None = None,
) -> tuple[pa.Table, str, date | None]:
    """Columns of a month, its data version, and its last day so far if it is partial.

    Those of the `optional` columns that the month has are read too; of the users in the bucket of
    `user`, or of all.
    """
    for _ in range(_ATTEMPTS):
        version = lake.published(month).data_version
        info = lake.info(month)
        known = [name for name in optional if name in info.columns]
        bucket = EVERYONE if user is None else lake.bucket_of(user, month)
        table = lake.scan([month], [*columns, *known], bucket).table
        if lake.published(month).data_version == version:
            return table, version, info.last_day_so_far
    raise StorageError(f"{lake.root.name} of {month} is being published; ask again")


def _each(period: Period) -> Iterator[date]:
    return (period.first + timedelta(number) for number in range(period.days))


def _listed(users: Sequence[str]) -> str:
    more = f" and {number(len(users) - _LISTED)} more" if len(users) > _LISTED else ""
    return ", ".join(printable(user) for user in users[:_LISTED]) + more
