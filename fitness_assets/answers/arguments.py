"""The arguments of the tools. Unknown arguments are refused."""

from typing import Annotated

import msgspec

from fitness_assets.answers.records import MEASURES
from fitness_assets.answers.statistics import Step

User = Annotated[
    str | None,
    msgspec.Meta(description="id or imported name; not needed if the lake has one user"),
]
When = Annotated[
    str,
    msgspec.Meta(
        description="a day 2023-04-01, a month 2023-04, a year 2023, or a range 2023-01..2023-03"
    ),
]
Measure = Annotated[str, msgspec.Meta(description=f"one of {', '.join(MEASURES)}")]
AnyMeasure = Annotated[
    str | None, msgspec.Meta(description=f"all if left out, or one of {', '.join(MEASURES)}")
]
Skip = Annotated[int, msgspec.Meta(ge=0, le=1_000_000, description="rows to leave out at first")]


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of a tool."""


class PeopleArguments(Arguments, frozen=True, kw_only=True):
    """Of `people`."""

    skip: Skip = 0


class DayArguments(Arguments, frozen=True, kw_only=True):
    """Of `day`."""

    date: Annotated[str, msgspec.Meta(description="YYYY-MM-DD")]
    user: User = None


class SeriesArguments(Arguments, frozen=True, kw_only=True):
    """Of `series`."""

    measure: Measure
    period: When
    by: Step = "day"
    user: User = None


class CompareArguments(Arguments, frozen=True, kw_only=True):
    """Of `compare`."""

    first: When
    second: When
    measure: AnyMeasure = None
    user: User = None


class BaselineArguments(Arguments, frozen=True, kw_only=True):
    """Of `baseline`."""

    date: Annotated[
        str | None, msgspec.Meta(description="YYYY-MM-DD; the newest day if left out")
    ] = None
    measure: AnyMeasure = None
    user: User = None


class FindingsArguments(Arguments, frozen=True, kw_only=True):
    """Of `associations`."""

    month: Annotated[
        str | None, msgspec.Meta(description="YYYY-MM, the last month used; the newest if left out")
    ] = None
    skip: Skip = 0
    user: User = None


class HistoryArguments(FindingsArguments, frozen=True, kw_only=True):
    """Of `history`."""

    kind: Annotated[
        str,
        msgspec.Meta(description="change_point, best, streak, device_era or gap"),
    ] = "change_point"


class GapsArguments(Arguments, frozen=True, kw_only=True):
    """Of `gaps`."""

    period: When
    skip: Skip = 0
    user: User = None


class WorkoutsArguments(Arguments, frozen=True, kw_only=True):
    """Of `workouts`."""

    period: When
    skip: Skip = 0
    user: User = None


class TrainingLoadArguments(Arguments, frozen=True, kw_only=True):
    """Of `training_load`."""

    period: When
    user: User = None


class ModelsArguments(Arguments, frozen=True, kw_only=True):
    """Of `models`."""

    month: Annotated[str | None, msgspec.Meta(description="YYYY-MM; the newest if left out")] = None
