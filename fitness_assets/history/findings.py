"""The findings of users: what their days up to a month show."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets.history import associations, change_points, eras, grid, records
from fitness_assets.history.grid import Floats
from fitness_assets.history.schema import FINDINGS, MEASURES, Kind

#: The columns of `daily_activity` that findings are computed from.
COLUMNS = (*grid.COLUMNS, "source", "calories_kind")
#: The measures whose changes are looked for: a weight holds until it is measured again.
CHANGING = tuple(measure for measure in MEASURES if measure != "weight_kg")
#: Days between a change point and the begin of an era of a device that may have caused it.
NEAR_DEVICE = 14
#: Largest expected share of false ones among the change points of one user.
FALSE_DISCOVERIES = 0.01

# Eras and change points of one user that are kept, the latest: a hostile file must not make the
# table large.
_MOST = 40
# A row of the table, by column.
_Row = dict[str, object]


@dataclass(frozen=True)
class _Days:
    """The days of one user from the first to the last."""

    first: date
    values: Floats
    worn: np.ndarray
    devices: list[str | None]

    def date(self, day: int) -> date:
        return self.first + timedelta(days=day)


def find(days: pa.Table, last: date, users: Sequence[str]) -> pa.Table:
    """The table `findings`.

    Parameters
    ----------
    days : Table
        `COLUMNS` of all records up to `last`.
    last : date
        The last day of the month, or its last day so far.
    users : sequence of str
        Those who have findings.
    """
    rows: list[_Row] = []
    for user in sorted(users):
        own = days.filter(pc.equal(days["user_id"], user))
        found = _days_of(own, last)
        if found is not None:
            rows += [{"user_id": user, **row} for row in _findings(found)]
    columns = {
        field.name: pa.array([row.get(field.name) for row in rows], field.type)
        for field in FINDINGS
    }
    return pa.table(columns, schema=FINDINGS)


def _days_of(own: pa.Table, last: date) -> _Days | None:
    """The days of one user up to `last`; None without a worn day."""
    worn = own.filter(own["worn"])
    if not len(worn):
        return None
    first = pc.min(worn["date"]).as_py()
    found = grid.grid(own, first, last)
    devices: list[str | None] = [None] * found.length
    kinds = worn["calories_kind"]
    several = len(kinds.drop_null().unique()) > 1
    columns = (worn["date"], worn["source"], kinds)
    for day, source, kind in zip(*(column.to_pylist() for column in columns), strict=True):
        name = source or "unnamed source"
        devices[(day - first).days] = f"{name} ({kind} energy)" if several and kind else name
    return _Days(first, found.values[0], found.worn[0], devices)


def _findings(days: _Days) -> Iterable[_Row]:
    """The rows of one user, without the id."""
    found_eras = eras.eras(days.devices)
    yield from _bests(days)
    yield from _streaks(days)
    for start, end in records.gaps(days.worn):
        yield _row("gap", end - start + 1, start=days.date(start), end=days.date(end))
    for era in found_eras[-_MOST:]:
        yield _row(
            "device_era",
            era.days,
            device=era.device,
            start=days.date(era.first),
            end=days.date(era.last),
        )
    begins = {era.first: era.device for era in found_eras[1:]}
    tried, changes = _changes(days, sorted(begins))
    for measure, change in changes[-_MOST:]:
        yield _row(
            "change_point",
            change.days,
            measure=measure,
            start=days.date(change.day),
            earliest=days.date(change.earliest),
            latest=days.date(change.latest),
            value=change.after - change.before,
            before=change.before,
            after=change.after,
            low=change.low,
            high=change.high,
            p=change.p,
            device=_device_near(begins, change.day),
        )
    breaks = {*begins, *(change.day for _, change in changes)}
    weekday = days.first.weekday()
    found = associations.associations(days.values, weekday, sorted(breaks))
    for each in found.found:
        yield _row(
            "association",
            each.days,
            measure=each.measure,
            other=each.other,
            lag=each.lag,
            value=each.r,
            low=each.low,
            high=each.high,
            slope=each.slope,
            p=each.p,
        )
    yield _row("search", tried, other="change_points")
    yield _row("search", found.tried, other="associations")


def _row(kind: Kind, n: int, **columns: object) -> _Row:
    return {"kind": kind, "n": n, **columns}


def _bests(days: _Days) -> Iterable[_Row]:
    for best in records.bests(days.values, days.first):
        yield _row(
            "best",
            best.days,
            measure=best.measure,
            period=best.period,
            start=best.first,
            end=best.last,
            value=best.value,
        )


def _streaks(days: _Days) -> Iterable[_Row]:
    for streak in records.streaks(days.values, days.worn):
        yield _row(
            "streak",
            streak.days,
            measure=streak.measure,
            goal=streak.goal,
            start=days.date(streak.first),
            end=days.date(streak.first + streak.days - 1),
            is_current=streak.is_current,
        )


def _changes(
    days: _Days, begins: Sequence[int]
) -> tuple[int, list[tuple[str, change_points.ChangePoint]]]:
    """The number of measures that were searched, and the change points that are kept, by date.

    The p values are adjusted for all measures: one without a candidate counts as a test with p 1.
    """
    searched = [
        (measure, found)
        for measure in CHANGING
        if (
            found := change_points.change_points(
                days.values[:, MEASURES.index(measure)], days.first.weekday(), begins
            )
        )
        is not None
    ]
    tests = [(measure, each) for measure, found in searched for each in found]
    quiet = sum(not found for _, found in searched)
    p = np.array([*(each.p for _, each in tests), *[1.0] * quiet])
    adjusted = associations.adjust(p) if len(p) else p
    kept = [
        (measure, each, value)
        for (measure, each), value in zip(tests, adjusted, strict=False)
        if value <= FALSE_DISCOVERIES
    ]
    kept.sort(key=lambda found: (found[1].day, MEASURES.index(found[0])))
    return len(searched), [
        (measure, replace(each, p=float(value))) for measure, each, value in kept
    ]


def _device_near(begins: Mapping[int, str], day: int) -> str | None:
    """The device whose era begins nearest to `day`, at most `NEAR_DEVICE` days from it."""
    near = [begin for begin in begins if abs(begin - day) <= NEAR_DEVICE]
    return begins[min(near, key=lambda begin: abs(begin - day))] if near else None
