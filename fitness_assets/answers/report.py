"""A report about one person and a month or a year, as the parts of a page.

Every number names the months and data versions that it comes from by a letter, which the section
Sources explains.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from fitness_assets.answers import sentences, statistics
from fitness_assets.answers.charts import charts_of
from fitness_assets.answers.findings import Finding, Findings
from fitness_assets.answers.material import Material
from fitness_assets.answers.pages.document import (
    Charts,
    Command,
    Document,
    Heading,
    Paragraph,
    Part,
    Points,
    Table,
)
from fitness_assets.answers.periods import Period
from fitness_assets.answers.records import MEASURES, VERSION_DIGITS, Days, Sources
from fitness_assets.answers.sleep_parts import sleep_parts
from fitness_assets.answers.statistics import LEAST_DAYS, Summary, summary_of
from fitness_assets.answers.workout_parts import workout_parts
from fitness_assets.formatting import days_text, number
from fitness_assets.history.schema import DIRECTIONS
from fitness_assets.months import text_until
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

# Minutes of moderate activity that adults need at least each week (WHO guidelines, 2020).
_WEEK_MINUTES = 150
_WEEK = 7
# Gaps, changes and other findings that a page lists.
_LISTED = 8
_SUMMARY = ("steps", "sleep_hours", "active_minutes", "resting_heart_rate")
_NONE = "none"


@dataclass
class _References:
    """Letters of sources, in the order of their first use."""

    letters: dict[str, str] = field(default_factory=dict)

    def of(self, source: Sources | Findings) -> str:
        """The letter of `source`."""
        return self.letters.setdefault(str(source), chr(ord("A") + len(self.letters)))


@dataclass(frozen=True)
class Report:
    """A report about one person.

    Attributes
    ----------
    material : Material
    name : str
        What the person is called on the page.
    units : Units
    command : str
        The command that makes the report.
    notes : sequence of Note
        Dated notes of the person.
    """

    material: Material
    name: str
    units: Units
    command: str
    notes: Sequence[Note] = ()
    _references: _References = field(default_factory=_References)

    def document(self) -> Document:
        """The page."""
        made = self.material
        parts = [
            Paragraph(self._summary()),
            Heading("What changed"),
            *self._changes(),
            *self._charts(),
            Heading("Bests"),
            *self._bests(),
            Heading("Sleep"),
            *sleep_parts(made.now, self._references.of),
            Heading("Load and workouts"),
            *self._load(),
            *workout_parts(made.workouts, self.units, self._references.of, by_day=made.is_month),
            Heading("What goes with what"),
            *self._associations(),
            Heading("Gaps"),
            *self._gaps(),
            Heading("Sources"),
            *self._sources(),
        ]
        return Document(
            title=f"Fitness report: {self._when(made.period)}",
            subtitle=self._subtitle(),
            parts=parts,
            dated=min(made.period.last, made.now.partial_until or made.period.last),
        )

    def _when(self, period: Period) -> str:
        return f"{period.first:%B %Y}" if self.material.is_month else f"{period.first:%Y}"

    def _subtitle(self) -> str:
        now = self.material.now
        text = self.name
        if now.partial_until is not None:
            text += f". PARTIAL: {text_until(now.partial_until)} so far"
        if now.absent:
            text += f". The lake lacks {len(now.absent)} of its months: {', '.join(now.absent)}"
        return text + "."

    def _summary(self) -> str:
        made = self.material
        texts = []
        for measure in _SUMMARY:
            now, before = summary_of(made.now, measure), summary_of(made.before, measure)
            if now is None:
                continue
            text = f"{sentences.label(measure)} {self.units.text(measure, now.median)}"
            if before is not None and min(now.days, before.days) >= LEAST_DAYS:
                change = sentences.percent_text(measure, before.median, now.median)
                if not change:
                    change = sentences.change_text(measure, before.median, now.median, self.units)
                    change += f" {self.units.unit(measure)}"
                text += f" ({change})"
            texts.append(text)
        if not texts:
            return "No day of the period has steps, sleep, active time or a resting heart rate."
        letters = self._references.of(made.now.sources)
        if made.before.table.num_rows:
            letters += f", {self._references.of(made.before.sources)}"
            return (
                f"Median day, and its change since {self._before_text()}: "
                f"{'; '.join(texts)} [{letters}]."
            )
        return f"Median day: {'; '.join(texts)} [{letters}]. There is nothing to compare it with."

    def _before_text(self) -> str:
        before = self.material.before
        text = self._when(before.period)
        months = len(before.sources.versions)
        return text if self.material.is_month else f"the same {months} months of {text}"

    def _changes(self) -> Iterator[Part]:
        made = self.material
        compared = [(f"{made.kind.capitalize()} before", made.before)]
        if made.year_before is not None:
            compared.append(("Year before", made.year_before))
        compared = [(title, days) for title, days in compared if days.table.num_rows]
        rows = []
        for measure in MEASURES:
            now = summary_of(made.now, measure)
            if now is None:
                continue
            row = [
                self.units.title(measure),
                self._bare(measure, now.median),
                f"{self._bare(measure, now.p10)} to {self._bare(measure, now.p90)}",
                f"{now.days}",
            ]
            for _, days in compared:
                row += self._compared(measure, now, summary_of(days, measure))
            sources = [made.now.sources, *(days.sources for _, days in compared)]
            rows.append([*row, ", ".join(self._references.of(each) for each in sources)])
        columns = ["Measure", "Median", "10% to 90%", "Days"]
        for title, _ in compared:
            columns += [title, "Change"]
        yield Table([*columns, "From"], rows)
        yield from self._lasting_changes()

    def _bare(self, measure: str, value: float) -> str:
        """`value` without its unit."""
        return self.units.text(measure, value).split(" ", 1)[0]

    def _compared(self, measure: str, now: Summary, other: Summary | None) -> list[str]:
        if other is None:
            return [_NONE, _NONE]
        value = self._bare(measure, other.median)
        if min(now.days, other.days) < LEAST_DAYS:
            return [value, "too few days"]
        return [value, sentences.change_text(measure, other.median, now.median, self.units)]

    def _lasting_changes(self) -> Iterator[Part]:
        found = self.material.findings
        if found.reason is not None:
            yield Paragraph(f"Lasting changes are not known: {found.reason}.")
            return
        changes = [each for each in found.of("change_point") if self._is_within(each)]
        eras = [each for each in found.of("device_era") if self._is_within(each)]
        texts = [sentences.change_point(each, self.units) for each in changes]
        texts += [sentences.device_era(each) for each in eras]
        letter = self._references.of(found)
        if changes:
            yield Paragraph(f"Lasting changes that are not by chance [{letter}]:")
        elif found.has_searched("change_point"):
            yield Paragraph(f"No lasting change began in this {self.material.kind} [{letter}].")
        else:
            yield Paragraph(f"There are too few days to look for lasting changes [{letter}].")
        if texts:
            yield Points(texts[:_LISTED])

    def _is_within(self, finding: Finding) -> bool:
        period = self.material.period
        return finding.start is not None and period.first <= finding.start <= period.last

    def _charts(self) -> Iterator[Part]:
        made = self.material
        notes = [
            note
            for note in sorted(self.notes, key=lambda note: (note.first, note.last, note.id))
            if note.first <= made.period.last and made.period.first <= note.last
        ]
        spans = [(note.first, note.last) for note in notes]
        charts = charts_of(made.now, made.usual, self.units, spans, by_day=made.is_month)
        letters = self._references.of(made.now.sources)
        if not made.is_month:
            text = "Charts: the median of each week; the band is 10% to 90% of its days"
        elif any(chart.usual for chart in charts):
            text = "Charts: each day; the band is 10% to 90% of the 365 days before the month"
            letters += f", {self._references.of(made.usual.sources)}"
        else:
            text = "Charts: each day"
        if charts:
            yield Paragraph(f"{text} [{letters}].")
            yield Charts(charts)
        if notes:
            yield Paragraph("Notes of the person, grey in the charts:")
            yield Points([sentences.note(note) for note in notes])

    def _bests(self) -> Iterator[Part]:
        made = self.material
        found = made.findings
        bests = {
            each.measure: each for each in found.of("best") if each.period == "day" and each.start
        }
        known = bool(bests)
        rows = []
        for measure, direction in DIRECTIONS.items():
            now = summary_of(made.now, measure)
            if now is None:
                continue
            value, day = (now.high, now.high_day) if direction > 0 else (now.low, now.low_day)
            row = [self.units.title(measure), self._bare(measure, value), f"{day}"]
            letters = self._references.of(made.now.sources)
            best = bests.get(measure)
            if known:
                row += (
                    [self._bare(measure, best.value), f"{best.start}"]
                    if best is not None and best.value is not None
                    else [_NONE, _NONE]
                )
                letters += f", {self._references.of(found)}"
            rows.append([*row, letters])
        columns = ["Measure", f"Best day of the {made.kind}", "Day"]
        columns += ["Best day so far", "Day"] if known else []
        yield Table([*columns, "From"], rows)
        streaks = [
            sentences.streak(each, self.units)
            for each in found.of("streak")
            if each.end is not None and each.end >= made.period.first
        ]
        if streaks:
            yield Paragraph(f"Streaks [{self._references.of(found)}]:")
            yield Points(streaks[:_LISTED])

    def _load(self) -> Iterator[Part]:
        now = self.material.now
        dates, minutes = now.values("active_minutes")
        found = statistics.summarize(dates, minutes)
        if found is None:
            yield Paragraph("No day has active minutes.")
            return
        letter = self._references.of(now.sources)
        weeks = [
            each.summary.total
            for each in statistics.series(now, "active_minutes", "week")
            if each.summary.days == _WEEK
        ]
        text = (
            f"{number(found.total)} active minutes in {days_text(found.days)}, "
            f"{number(found.mean)} a day on average; most on {found.high_day} "
            f"({number(found.high)})."
        )
        if weeks:
            enough = sum(total >= _WEEK_MINUTES for total in weeks)
            text += (
                f" {enough} of {len(weeks)} whole weeks from Monday to Sunday had at least "
                f"{_WEEK_MINUTES} minutes, which adults need (WHO guidelines, 2020), if the device "
                f"counts minutes of moderate activity; median {number(float(np.median(weeks)))}."
            )
        yield Paragraph(f"{text} [{letter}]")
        if not self.material.is_month:
            points = statistics.series(now, "active_minutes", "month")
            rows = [
                ["Active minutes", *(number(point.summary.total) for point in points), letter],
                ["A day", *(number(point.summary.mean) for point in points), letter],
                ["Days", *(number(point.summary.days) for point in points), letter],
            ]
            yield Table(["Month", *(f"{point.start:%b}" for point in points), "From"], rows)

    def _associations(self) -> Iterator[Part]:
        found = self.material.findings
        if found.reason is not None:
            yield Paragraph(f"This is not known: {found.reason}.")
            return
        letter = self._references.of(found)
        pairs = [sentences.association(each) for each in found.of("association")]
        if not pairs:
            searched = found.has_searched("association")
            text = "Nothing found, which is common" if searched else "Too few days to look"
            yield Paragraph(f"{text} [{letter}].")
            return
        yield Paragraph(
            f"Over all days up to {found.month} [{letter}]. What goes together need not be a cause."
        )
        yield Points(pairs[:_LISTED])

    def _gaps(self) -> Iterator[Part]:
        now = self.material.now
        letter = self._references.of(now.sources)
        worn = int(now.worn.sum())
        gaps = statistics.runs(day for day in now.expected if day not in set(_worn_days(now)))
        yield Paragraph(
            f"{number(len(now.expected))} days: {number(len(now.dates))} have a record, and on "
            f"{number(worn)} of them the device was worn. Days on which it was not worn are in no "
            f"number [{letter}]."
        )
        longest = sorted(gaps, key=lambda run: (-run.days, run.first))[:_LISTED]
        if longest:
            texts = [
                f"{sentences.span_text(run.first, run.last)} ({run.days})"
                for run in sorted(longest, key=lambda run: run.first)
            ]
            more = f", and {len(gaps) - len(longest)} shorter ones" if len(gaps) > _LISTED else ""
            yield Paragraph(f"Not worn or without a record (days): {'; '.join(texts)}{more}.")
        removed = sum(bool(flags) for flags in now.table["quality_flags"].to_pylist())
        if removed:
            yield Paragraph(
                f"Values that are not plausible were removed from {number(removed)} days."
            )

    def _sources(self) -> Iterator[Part]:
        rows = [[letter, text] for text, letter in self._references.letters.items()]
        yield Table(
            ["Letter", "Months of daily_activity, or of the asset that is named, @data version"],
            rows,
            2,
        )
        now = self.material.now
        if len(now.sources.versions) > 1:
            versions = ", ".join(
                f"{month} @{version[:VERSION_DIGITS]}"
                for month, version in now.sources.versions.items()
            )
            yield Paragraph(
                f"Data versions: {versions}. The version of several months is the "
                f"first {VERSION_DIGITS} digits of the SHA-256 of the lines “month version”."
            )
        yield Paragraph(
            "Medians and percentiles are of days on which the device was worn, interpolated "
            "linearly. `fitness status --json` has the data versions of a home; while they are "
            "these, this command gives this page again:"
        )
        yield Command(self.command)


def _worn_days(days: Days) -> list[date]:
    return [day for day, worn in zip(days.dates, days.worn, strict=True) if worn]
