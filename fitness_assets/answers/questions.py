"""The answers to the questions of an assistant, each a function of typed arguments.

Every answer is one JSON document of at most `limits.MAX_BYTES`. It names the months and data
versions that its numbers come from. Units are those of the lake. Texts of exports are clipped.
"""

from datetime import date, timedelta
from functools import partial

import msgspec

from fitness_assets.answers import statistics
from fitness_assets.answers.arguments import (
    BaselineArguments,
    CompareArguments,
    DayArguments,
    FindingsArguments,
    GapsArguments,
    HistoryArguments,
    PeopleArguments,
    SeriesArguments,
)
from fitness_assets.answers.dated_notes import notes_in
from fitness_assets.answers.findings import Finding, Findings
from fitness_assets.answers.home import Home
from fitness_assets.answers.limits import (
    Answer,
    Origin,
    clip,
    encode,
    fit,
    origin_of,
    origin_of_months,
    shorten_message,
)
from fitness_assets.answers.periods import Period, check_month, parse_day, parse_period
from fitness_assets.answers.records import MEASURES, Days
from fitness_assets.answers.statistics import Run, Summary
from fitness_assets.errors import QuestionError
from fitness_assets.formatting import number
from fitness_assets.record.daily import BASELINES
from fitness_assets.record.raw import NUMBERS

# Days before a date that its usual values are computed from: those of a month, and of a year.
_USUAL_DAYS = (28, 365)
# Significant digits of numbers that have no declared decimals.
_DIGITS = 3


def people(home: Home, asked: PeopleArguments) -> bytes:
    """The users of the lake."""
    found, sources = home.records.people()
    answer = Answer(
        about=f"users of the lake: {number(len(found))}; imported names are pseudonyms",
        columns=["user", "first_day", "last_day", "days", "days_worn"],
        rows=[
            [clip(each.user), str(each.first), str(each.last), each.days, each.worn]
            for each in found[asked.skip :]
        ],
        origin=[origin_of_months(sources)],
    )
    return fit(answer, partial(_rest, asked.skip))


def _rest(skip: int, shown: int) -> str:
    return f"ask with skip={skip + shown}"


def day(home: Home, asked: DayArguments) -> bytes:
    """All measures of one day."""
    on = parse_day(asked.date)
    user = home.records.find_user(asked.user)
    days = home.records.read(user, Period(on, on))
    if not days.table.num_rows:
        return encode(
            Answer(
                about=f"{on}: there is no record",
                user=clip(user),
                origin=[origin_of(days)],
                notes=["`gaps` lists the days without a record"],
                dated_notes=notes_in(home, user, Period(on, on)),
            )
        )
    row = days.table.to_pylist()[0]
    usual = {each.value: each for each in BASELINES if each.window == _USUAL_DAYS[0]}
    rows: list[object] = []
    for name in NUMBERS:
        if row.get(name) is not None:
            mean = row[usual[name].name] if name in usual else None
            rows.append([name, row[name], NUMBERS[name].unit, _number(name, mean)])
    texts = ("activity_type", "calories_kind", "source")
    notes = [f"{name}: {clip(row[name])}" for name in texts if row[name] is not None]
    if row.get("sleep_start") is not None and row.get("sleep_end") is not None:
        notes.append(f"asleep from {row['sleep_start']:%H:%M} to {row['sleep_end']:%H:%M}, local")
    if not row["worn"]:
        notes.append("the device was not worn: the values say nothing about the user")
    if row["quality_flags"]:
        notes.append(f"values removed by rules: {clip(', '.join(row['quality_flags']))}")
    answer = Answer(
        about=f"{on}, {on:%A}",
        user=clip(user),
        columns=["measure", "value", "unit", f"mean_{_USUAL_DAYS[0]}_days_before"],
        rows=rows,
        notes=notes,
        dated_notes=notes_in(home, user, Period(on, on)),
        origin=[origin_of(days)],
    )
    return fit(answer, lambda _: "ask `series` for one measure")


def series(home: Home, asked: SeriesArguments) -> bytes:
    """One measure over a period."""
    measure = check_measure(asked.measure)
    period = parse_period(asked.period)
    user = home.records.find_user(asked.user)
    days = home.records.read(user, period)
    points = statistics.series(days, measure, asked.by)
    rows: list[object]
    if asked.by == "day":
        columns = ["day", "value"]
        rows = [[str(each.start), _number(measure, each.summary.median)] for each in points]
    else:
        columns = [f"{asked.by}_from", "median", "p10", "p90", "days"]
        rows = [[str(each.start), *_marks(measure, each.summary)] for each in points]
    answer = Answer(
        about=f"{measure} ({_unit(measure)}) by {asked.by} in {period}",
        user=clip(user),
        columns=columns,
        rows=rows,
        notes=[] if rows else [f"no day of {period} has {measure}"],
        dated_notes=notes_in(home, user, period),
        origin=[origin_of(days)],
    )

    def rest(shown: int) -> str:
        after = f'ask with period="{points[shown].start}..{period.last}"'
        return f'{after} or by="month"' if asked.by != "month" else after

    return fit(answer, rest)


def compare(home: Home, asked: CompareArguments) -> bytes:
    """Each measure in two periods."""
    periods = [parse_period(asked.first), parse_period(asked.second)]
    user = home.records.find_user(asked.user)
    parts = [home.records.read(user, period) for period in periods]
    rows: list[object] = []
    unknown = []
    for measure in _chosen(asked.measure):
        first, second = (statistics.summary_of(part, measure) for part in parts)
        if first is None or second is None:
            unknown.append(measure)
            continue
        rows.append(
            [
                measure,
                _unit(measure),
                *_marks(measure, first),
                *_marks(measure, second),
                _change(measure, first, second),
            ]
        )
    marks = ("median", "p10", "p90", "days")
    notes = ["a difference of medians; `history` has the changes that last and are not by chance"]
    if unknown:
        notes.append(f"not known in both: {', '.join(unknown)}")
    answer = Answer(
        about=f"{periods[0]} (first) and {periods[1]} (second)",
        user=clip(user),
        columns=[
            "measure",
            "unit",
            *(f"first_{mark}" for mark in marks),
            *(f"second_{mark}" for mark in marks),
            "change",
        ],
        rows=rows,
        notes=notes,
        dated_notes=notes_in(home, user, *periods),
        origin=[origin_of(part) for part in parts],
    )
    return fit(answer, lambda _: "ask for one measure")


def baseline(home: Home, asked: BaselineArguments) -> bytes:
    """What was usual before a date."""
    user = home.records.find_user(asked.user)
    day = parse_day(asked.date) if asked.date else _newest_day(home, user)
    first = day - timedelta(_USUAL_DAYS[-1])
    period = Period(first, day - timedelta(1))
    days = home.records.read(user, period)
    rows: list[object] = []
    for measure in _chosen(asked.measure):
        for length in _USUAL_DAYS:
            part = days.within(Period(day - timedelta(length), day - timedelta(1)))
            found = statistics.summary_of(part, measure)
            if found is not None:
                rows.append([measure, _unit(measure), length, *_marks(measure, found)])
    answer = Answer(
        about=f"what was usual before {day}, over the {_USUAL_DAYS[0]} and {_USUAL_DAYS[1]} days",
        user=clip(user),
        columns=["measure", "unit", "days_before", "median", "p10", "p90", "days"],
        rows=rows,
        notes=[] if rows else ["no day before has a value"],
        dated_notes=notes_in(home, user, period),
        origin=[origin_of(days)],
    )
    return fit(answer, lambda _: "ask for one measure")


def _newest_day(home: Home, user: str) -> date:
    return home.records.read(user, home.records.newest_month(user)).dates[-1]


def associations(home: Home, asked: FindingsArguments) -> bytes:
    """Which measures go together."""
    return _findings(home, asked, ["association"], "what goes with what, within this user")


def history(home: Home, asked: HistoryArguments) -> bytes:
    """Findings of one kind."""
    kinds = ("change_point", "best", "streak", "device_era", "gap")
    if asked.kind not in kinds:
        raise QuestionError(f"kind {clip(asked.kind)!r} is not one of {', '.join(kinds)}")
    return _findings(home, asked, [asked.kind], f"findings of the kind {asked.kind}")


def _findings(home: Home, asked: FindingsArguments, kinds: list[str], about: str) -> bytes:
    month = check_month(asked.month)
    user = home.records.find_user(asked.user)
    found = home.findings(user, month)
    notes = []
    if found.reason:
        notes.append(shorten_message(found.reason))
    elif not found.of(*kinds):
        searched = found.has_searched(kinds[0])
        notes.append("nothing found, which is common" if searched else "too few days to look")
    if "association" in kinds and found.of(*kinds):
        notes.append("what goes together need not be a cause; p is adjusted for all pairs tried")
    answer = Answer(
        about=f"{about}, up to {found.month}" if found.month else about,
        user=clip(user),
        rows=[_rounded(each) for each in found.of(*kinds)[asked.skip :]],
        notes=notes,
        origin=_origin_of_findings(found),
    )
    return fit(answer, partial(_rest, asked.skip))


def _origin_of_findings(found: Findings) -> list[Origin]:
    if found.month is None:
        return []
    versions = {found.month: found.version}
    return [Origin(months=f"person_history {found.month}", data_versions=versions)]


def _rounded(finding: Finding) -> dict[str, object]:
    """The known values of a finding: those of its measure with the declared decimals."""
    plain: dict[str, object] = msgspec.to_builtins(finding)
    is_association = finding.kind == "association"
    rounded: dict[str, object] = {}
    for name, value in plain.items():
        if isinstance(value, str):
            rounded[name] = clip(value)
        elif not isinstance(value, float):
            rounded[name] = value
        elif finding.measure is None or is_association or name in {"p", "slope"}:
            rounded[name] = float(f"{value:.{_DIGITS}g}")
        else:
            rounded[name] = _number(finding.measure, value)
    return rounded


def gaps(home: Home, asked: GapsArguments) -> bytes:
    """Gaps of a period, removed values and failed data checks."""
    period = parse_period(asked.period)
    user = home.records.find_user(asked.user)
    days = home.records.read(user, period)
    not_worn = [day for day, worn in zip(days.dates, days.worn, strict=True) if not worn]
    runs = [("no record", each) for each in statistics.runs(days.missing())]
    runs += [("not worn", each) for each in statistics.runs(not_worn)]
    runs.sort(key=lambda each: each[1].first)
    removed: dict[str, int] = {}
    for flags in days.table["quality_flags"].to_pylist():
        for flag in flags or ():
            removed[flag] = removed.get(flag, 0) + 1
    notes = [f"{count} days: {clip(flag)}" for flag, count in sorted(removed.items())]
    notes += _check_notes(home, days)
    answer = Answer(
        about=f"gaps in {period}: {len(days.expected)} days expected, {len(days.dates)} recorded",
        user=clip(user),
        columns=["what", "first", "last", "days"],
        rows=[[what, *_run(run)] for what, run in runs[asked.skip :]],
        notes=notes,
        dated_notes=notes_in(home, user, period),
        origin=[origin_of(days)],
    )
    return fit(answer, partial(_rest, asked.skip))


def _check_notes(home: Home, days: Days) -> list[str]:
    """How many data checks of the months failed, and the first of them."""
    failed = []
    unknown = 0
    for month, version in days.sources.versions.items():
        results = home.checks(month, version)
        unknown += results is None
        failed += [(month, each) for each in results or () if not each.passed]
    notes = [f"data checks of {unknown} months are not stored"] if unknown else []
    if not failed:
        return [*notes, "no data check of these months failed"]
    month, first = failed[0]
    text = f"{len(failed)} data checks failed; the first: {month} {first.name}: {first.message}"
    return [*notes, shorten_message(text)]


def check_measure(name: str) -> str:
    """`name`, if it is one of `MEASURES`; else QuestionError."""
    if name not in MEASURES:
        raise QuestionError(f"there is no measure {clip(name)!r}; there are {', '.join(MEASURES)}")
    return name


def _chosen(measure: str | None) -> tuple[str, ...]:
    return MEASURES if measure is None else (check_measure(measure),)


def _marks(measure: str, summary: Summary) -> list[object]:
    marks = (summary.median, summary.p10, summary.p90)
    return [*(_number(measure, mark) for mark in marks), summary.days]


def _number(measure: str, value: float | None) -> float | int | None:
    """`value` with the declared decimals of `measure`."""
    if value is None:
        return None
    decimals = NUMBERS[measure].decimals
    return round(value, decimals) if decimals else round(value)


def _change(measure: str, first: Summary, second: Summary) -> float:
    """The difference of the rounded medians."""
    rounded = [_number(measure, each.median) or 0 for each in (first, second)]
    return round(rounded[1] - rounded[0], NUMBERS[measure].decimals or None)


def _unit(measure: str) -> str:
    return NUMBERS[measure].unit or "count"


def _run(run: Run) -> list[object]:
    return [str(run.first), str(run.last), run.days]
