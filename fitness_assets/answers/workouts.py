"""The workouts of one person in a period, and the training load of its days."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from fitness_assets import months
from fitness_assets.answers.periods import Period
from fitness_assets.answers.records import Days, Records, Sources, bounded, read_month
from fitness_assets.history.training import LOAD_MONTHS, Training, training
from fitness_assets.record.workouts import SCHEMA

#: The asset that has the workouts.
ASSET = "workouts"
_UNREAD = {"start", "source", "ingested_at"}
_SCHEMA = pa.schema([field for field in SCHEMA if field.name not in _UNREAD])
# What the load of a workout depends on.
_OF_DAYS = ["resting_heart_rate", "age", "sex"]


@dataclass(frozen=True)
class Workouts:
    """The workouts of one person.

    Attributes
    ----------
    training : Training
        The workouts of the period, the newest first, and the load of its days.
    sources : Sources
        The months of `workouts` that were read: of the period and, for the load, before it.
    days : Days
        Of the period.
    read : Sources
        The months of days that were read for the resting heart rate, the age and the sex.
    absent : list of str
        The months of the period that `workouts` does not have, but `daily_activity` has.
    """

    training: Training
    sources: Sources
    days: Days
    read: Sources
    absent: list[str]


def load_period(period: Period) -> Period:
    """`period` and the months before it whose workouts the load depends on."""
    first = months.shift(months.key(period.first), 1 - LOAD_MONTHS)
    return Period(months.start(first), period.last)


def read_workouts(records: Records, period: Period, days: Days) -> Workouts:
    """The workouts of the person of `days` in `period`.

    Parameters
    ----------
    records : Records
    period : Period
    days : Days
        Of `load_period`, or longer.

    Raises
    ------
    QuestionError
        If the months have too many workouts of all users.
    """
    known = days.within(load_period(period))
    lake = records.workouts
    stored = [month for month in known.period.months() if lake.manifest(month)]
    parts, versions = [_SCHEMA.empty_table()], {}
    for month in bounded(lake, stored):
        table, versions[month], _ = read_month(lake, month, _SCHEMA.names)
        parts.append(table.filter(pc.equal(table["user_id"], days.user)))
    rows = pa.concat_tables(parts).sort_by("local_start")
    local = rows["local_start"]
    frame = rows.to_pandas()
    frame["date"] = local.cast(pa.date32()).to_pandas()
    frame["start"] = pc.strftime(local, format="%H:%M").to_pandas()
    inside = known.within(period)
    # Later days may have workouts that are not known yet.
    last = inside.expected[-1] if inside.expected else period.last
    found = training(frame, known.table.select(_OF_DAYS).to_pandas(), period.first, last)
    absent = [month for month in inside.sources.versions if month not in versions]
    return Workouts(found, Sources(versions, ASSET), inside, known.sources, absent)
