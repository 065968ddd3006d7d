"""Pages about a month or a year of one user."""

import dataclasses
import re
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fitness_assets.answers.findings import Finding
from fitness_assets.answers.home import Home
from fitness_assets.answers.material import read_material
from fitness_assets.answers.pages import html, markdown, pdf
from fitness_assets.answers.pages.document import Charts, Document, Paragraph, Points, Table
from fitness_assets.answers.pages.plots import draw
from fitness_assets.answers.periods import parse_period
from fitness_assets.answers.report import Report
from fitness_assets.answers.sleep_parts import sleep_parts
from fitness_assets.errors import QuestionError
from fitness_assets.formatting import minutes, number
from fitness_assets.history.training_load import trimp
from fitness_assets.record.units import IMPERIAL, METRIC, Units
from fitness_assets.settings import Settings
from fitness_assets.storage.notes import Note
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.questions import HOSTILE, MONTH, USER, days_of, workouts_of


def page(home: Home, period: str = MONTH, *, units: str = METRIC, name: str = USER) -> Document:
    material = read_material(home, USER, parse_period(period))
    return Report(material, name, Units(units), "fitness report").document()


def without_charts(document: Document) -> Document:
    """The document without charts, which take long to draw."""
    parts = [part for part in document.parts if not isinstance(part, Charts)]
    return dataclasses.replace(document, parts=parts)


def text_of(document: Document) -> str:
    return markdown.render(without_charts(document)).decode().replace("\\", "")


def test_notes_of_the_period_are_listed_and_marked(asked: Home) -> None:
    def note(first: date, last: date) -> Note:
        return Note(id="1", user=USER, kind="illness", first=first, last=last, text=HOSTILE)

    notes = [note(date(2023, 1, 30), date(2023, 2, 3)), note(date(2022, 1, 1), date(2022, 1, 2))]
    material = read_material(asked, USER, parse_period(MONTH))
    document = Report(material, USER, Units(), "fitness report", notes).document()
    text = text_of(document)
    assert "Illness, 30 January 2023 to 3 February 2023: <script>" in text
    assert text.count("Illness") == 1
    (charts,) = (part for part in document.parts if isinstance(part, Charts))
    assert charts.charts[0].spans == [(date(2023, 2, 1), date(2023, 2, 3))]
    assert draw(charts.charts[0], "png") != draw(
        dataclasses.replace(charts.charts[0], spans=()), "png"
    )


def tables(document: Document) -> list[Table]:
    return [part for part in document.parts if isinstance(part, Table)]


def test_a_month_is_compared_with_the_month_and_the_year_before(asked: Home) -> None:
    changes = tables(page(asked))[0]
    days = days_of()
    worn = days[days["worn"]]["steps"].round()
    now, before, year = (
        round(np.median(worn.loc[month])) for month in (MONTH, "2023-01", "2022-02")
    )
    row = dict(zip(changes.columns[:6], changes.rows[0], strict=False))
    assert row["Median"] == f"{now:,}"
    assert row["Month before"] == f"{before:,}"
    assert changes.rows[0][6] == f"{year:,}"
    sign = "+" if now > before else "\N{MINUS SIGN}"
    assert row["Change"].startswith(f"{sign}{abs(now - before):,} (")
    assert changes.rows[0][-1] == "A, B, C"


def test_a_year_is_compared_with_the_same_months(asked: Home) -> None:
    document = page(asked, "2023")
    assert "since the same 3 months of 2022" in text_of(document)
    days = days_of()
    worn = days[days["worn"]]["steps"].round()
    before = round(np.median(worn.loc["2022-01":"2022-03"]))
    assert tables(document)[0].rows[0][4] == f"{before:,}"


def test_a_month_lists_its_workouts_and_their_load(asked: Home) -> None:
    document = page(asked)
    table = next(each for each in tables(document) if each.columns[0] == "Workout")
    own = workouts_of().to_pandas()
    own = own[own["local_start"].dt.strftime("%Y-%m") == MONTH]
    assert len(table.rows) == len(own)
    days = days_of().loc["2022-11":MONTH]
    resting = days.loc[days["worn"], "resting_heart_rate"].median()
    load = trimp(own["minutes"], own["heart_rate_avg"], resting, 171.0)
    loads = {
        f"{start:%Y-%m-%d %H:%M}": each
        for start, each in zip(own["local_start"], load, strict=True)
    }
    for row in table.rows:
        assert row[6] == number(loads[row[0]])
    assert table.rows[-1][:3] == ["2023-02-01 07:30", table.rows[-1][1], "1 h 35 min"]
    text = text_of(document)
    assert f"{len(own)} workouts, {minutes(own['minutes'].sum())} in all [F]" in text
    assert f"Training load {number(np.nansum(load))}; mean of a day up to 2023-02-28: " in text
    assert "none [F, G]" in text
    sources = {row[0]: row[1] for row in tables(document)[-1].rows}
    assert sources["F"].startswith("workouts 2023-01..2023-02 (2 months) @")
    assert sources["G"].startswith("2022-11..2023-02 (4 months) @")
    imperial = next(
        each for each in tables(page(asked, units=IMPERIAL)) if each.columns[0] == "Workout"
    )
    assert imperial.columns[3] == "Distance (mi)"
    assert imperial.rows[0][3] == "3.9"


def test_a_year_has_the_workouts_of_each_month(asked: Home) -> None:
    document = page(asked, "2023")
    table = next(each for each in tables(document) if each.rows[0][0] == "Workouts")
    own = workouts_of()["local_start"].to_pandas().dt.strftime("%b")
    assert list(table.columns) == ["Month", "Jan", "Feb", "Mar", "From"]
    assert table.rows[0][1:4] == [str((own == month).sum()) for month in ("Jan", "Feb", "Mar")]


def test_a_period_without_workouts_has_no_word_about_them(asked: Home) -> None:
    text = text_of(page(asked, "2022"))
    assert "workouts" not in text.replace("Load and workouts", "")
    # Those of the months before count for the load.
    later = page(asked, "2023-03")
    assert "over 42 days" in text_of(later)


def test_every_number_names_its_months_and_versions(asked: Home, asked_settings: Settings) -> None:
    document = page(asked)
    text = text_of(document)
    letters = set(re.findall(r"\b[A-Z]\b", " ".join(re.findall(r"\[([A-Z, ]+)\]", text))))
    letters |= {
        letter
        for table in tables(document)[:-1]
        for row in table.rows
        for letter in row[-1].split(", ")
    }
    sources = {row[0]: row[1] for row in tables(document)[-1].rows}
    assert letters == set(sources)
    version = Workspace.of(asked_settings).daily.published(MONTH).data_version
    assert sources["A"] == f"{MONTH} @{version[:12]}"
    assert any(text.startswith(f"person_history {MONTH} @") for text in sources.values())


def test_findings_are_sentences(asked: Home) -> None:
    text = text_of(page(asked))
    minus = "\N{MINUS SIGN}"
    change = f"sleep 6.8 h instead of 7.3 h, a change of {minus}0.5 (95% interval {minus}0.7 to"
    assert f"From 1 February 2023: {change}" in text
    assert "the readings may have changed" in text
    assert "More active time goes with more sleep one day later: rank correlation 0.31" in text
    assert "22 days in a row on which the device was worn: 20 January 2023 to 10 February" in text
    assert "| 16,012 | 2022-05-03 |" in text


def test_too_few_days_are_distinguished_from_nothing_found(asked: Home) -> None:
    material = read_material(asked, USER, parse_period(MONTH))
    for n, message in ((0, "Too few days to look ["), (30, "Nothing found, which is common [")):
        searched = [Finding(kind="search", n=n, other="associations")]
        found = dataclasses.replace(material.findings, found=searched)
        made = dataclasses.replace(material, findings=found)
        assert message in text_of(Report(made, USER, Units(), "fitness report").document())


def test_a_line_is_interrupted_where_days_are_missing(asked: Home) -> None:
    (charts,) = (part for part in page(asked, "2022-02").parts if isinstance(part, Charts))
    sleep = next(chart for chart in charts.charts if chart.name == "sleep_hours")
    days = days_of().loc["2022-02"]
    shown = dict(zip(sleep.dates, sleep.values, strict=True))
    worn = {day.date() for day in days.index[days["worn"]]}
    assert {day for day, value in shown.items() if not np.isnan(value)} == worn
    assert len(shown) > len(worn)


def test_what_is_missing_is_said(asked: Home) -> None:
    text = text_of(page(asked, "2022-03"))
    assert "Lasting changes are not known: person_history has no month up to 2022-03" in text
    assert "There is nothing to compare it with" in text_of(page(asked, "2022-01"))
    with pytest.raises(QuestionError, match="nothing of 2021; it has 2022-01 to 2023-03"):
        page(asked, "2021")
    with pytest.raises(QuestionError, match="nobody has no record in 2022-03"):
        read_material(asked, "nobody", parse_period("2022-03"))


def test_a_partial_month_is_marked(asked: Home) -> None:
    document = page(asked, "2023-03")
    assert "PARTIAL: days 1 to 12 of 2023-03 so far" in document.subtitle
    assert document.dated == date(2023, 3, 12)
    assert "The lake lacks 9 of its months" in page(asked, "2023").subtitle
    assert "PARTIAL" not in page(asked).subtitle


def test_imperial_units(asked: Home) -> None:
    metric, imperial = (
        {row[0]: row[1] for row in tables(page(asked, units=units))[0].rows}
        for units in (METRIC, IMPERIAL)
    )
    assert metric["Weight (kg)"] == "74.0"
    assert imperial["Weight (lb)"] == "163.1"
    assert imperial["Sleep (h)"] == metric["Sleep (h)"]


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in ("href", "src", "xlink:href") or name.startswith("on"):
                self.links.append(value or "")


def test_text_of_exports_is_harmless_in_html(asked: Home) -> None:
    parser = _Parser()
    content = html.render(page(asked, name=HOSTILE)).decode()
    parser.feed(content)
    charts = [part for part in page(asked).parts if isinstance(part, Charts)]
    assert parser.tags.count("svg") == len(charts[0].charts) == 5
    assert not {"script", "iframe", "img", "object", "link"} & set(parser.tags)
    assert len(parser.ids) == len(set(parser.ids))
    assert all(link.startswith("#") for link in parser.links)
    assert "\x1b" not in content
    assert "&lt;script&gt;" in content


def test_text_of_exports_is_harmless_in_markdown(asked: Home) -> None:
    content = markdown.render(page(asked, name=HOSTILE)).decode()
    assert r"\<script\>" in content
    assert r"\| \[x\]" in content
    assert "\x1b" not in content
    widths = {
        line.replace(r"\|", "").count("|")
        for line in content.partition("## Bests")[0].splitlines()
        if line.startswith("|")
    }
    assert len(widths) == 1
    for name in re.findall(r"!\[[^\]]*\]\[(\w+)\]", content):
        assert f"\n[{name}]: data:image/png;base64," in content


def test_a_pdf_has_no_time_and_shows_any_name(asked: Home) -> None:
    content = pdf.render(without_charts(page(asked, name="Zoë Ωμέγα 李 🏃 \u202e")))
    assert content.startswith(b"%PDF-")
    assert b"CreationDate (D:20230228" in content
    assert b"JavaScript" not in content


def test_charts_are_images(asked: Home) -> None:
    (charts,) = (part for part in page(asked).parts if isinstance(part, Charts))
    chart = charts.charts[0]
    assert draw(chart, "png").startswith(b"\x89PNG")
    assert chart.usual is not None
    assert chart.text.startswith("Steps: 2")


def test_the_pdf_of_a_year_is_one_page(asked: Home) -> None:
    assert _pages(pdf.render(page(asked, "2022"))) == 1


def test_a_pdf_that_would_be_unreadable_on_one_page_has_more(asked: Home) -> None:
    document = without_charts(page(asked))
    parts = [*document.parts, Points([f"finding {number}" for number in range(90)])]
    assert _pages(pdf.render(dataclasses.replace(document, parts=parts))) > 1


def _pages(content: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", content))


def test_a_report_says_when_the_person_slept(asked: Home) -> None:
    days = asked.records.read(USER, parse_period(MONTH))
    dates = days.table["date"].cast(pa.timestamp("us"))
    minutes_after = {"sleep_start": -40, "sleep_end": 400}
    table = days.table
    for name, minute in minutes_after.items():
        times = pc.add(dates, pa.scalar(minute * 60_000_000, pa.duration("us")))
        table = table.append_column(name, times)
    (part,) = sleep_parts(dataclasses.replace(days, table=table), lambda _: "A")
    assert isinstance(part, Paragraph)
    assert "In 28 nights with known times asleep from 23:20 to 06:40, by median." in part.text
    assert "about as late on weekends" in part.text
    assert "Sleep Regularity Index 100 of 100 (Phillips" in part.text
    (without,) = sleep_parts(days, lambda _: "A")
    assert isinstance(without, Paragraph)
    assert "asleep from" not in without.text
