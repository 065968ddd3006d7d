"""What a screen reader reads of a chart, and what a chart of few days shows."""

from datetime import date
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from dashboard.charts import common, explore, my_days, overview, segments
from dashboard.charts.findings import described
from dashboard.charts.theme import shared_domain
from fitness_assets.record.units import Units
from fitness_assets.storage.notes import Note

UNITS = Units()
DATES = [date(2023, 5, 1), date(2023, 5, 2), date(2023, 5, 3)]
DAYS = pd.DataFrame(
    {"date": DATES, "steps": [7_000.0, np.nan, 9_500.0], "records": [4, 4, 4], "worn": [3, 4, 4]}
)
BINS = pd.DataFrame({"low": [0.0, 1_000.0], "high": [1_000.0, 2_000.0], "days": [3, 12]})
MONTHS = pd.DataFrame(
    {"month": ["2023-04", "2023-05"], "state": ["released", "outdated"], "details": ["", ""]}
)
PAIRS = pd.DataFrame(
    [("steps", "steps", 1.0), ("steps", "sleep_hours", -0.25), ("sleep_hours", "steps", -0.25)],
    columns=["x", "y", "r"],
)
MOVED = pd.DataFrame({"before": ["a", "b"], "segment": ["a", "a"], "users": [10, 2]})
SAMPLE = pd.DataFrame(
    {"activity_type": ["yoga"] * 2, "steps": [1_000.0, 2_000.0], "sleep_hours": [6.0, 8.0]}
)
RECORDS = (
    "Records by day. Worn: lowest 3 (1 May 2023), highest 4 (2 May 2023). "
    "Not worn: lowest 0 (2 May 2023), highest 1 (1 May 2023)."
)
TREND = pd.DataFrame({"at": [1.0], "median": [1.0]})


def spec(chart: Any) -> dict[str, Any]:
    found: dict[str, Any] = chart.to_dict()
    return found


@pytest.mark.parametrize(
    ("chart", "finding"),
    [
        (
            common.daily_means(DAYS, "steps", UNITS),
            "Steps, mean by day. Steps: lowest 7,000.0 (1 May 2023), highest 9,500.0 (3 May 2023).",
        ),
        (common.daily_records(DAYS), RECORDS),
        (common.share_bars({"yoga": 1.0}, "Activities"), "Activities. Share: 100.0% (Yoga)."),
        (
            common.value_bars({"Steps": 0.25, "Age": -0.125}, "Importance", "Loss"),
            "Importance. Loss: lowest \N{MINUS SIGN}0.125 (Age), highest 0.25 (Steps).",
        ),
        (
            common.histogram(BINS, "steps", UNITS),
            "Steps. Days: lowest 3 (from 0.0 to 1,000.0), highest 12 (from 1,000.0 to 2,000.0).",
        ),
        (overview.month_calendar(MONTHS), "State of each month. 1 released, 1 outdated."),
        (
            explore.correlation_heatmap(PAIRS),
            "Correlation (Pearson's r). Pearson's r: \N{MINUS SIGN}0.25.",
        ),
        (
            segments.segment_movement(MOVED),
            "Users by segment then and now. Users: lowest 2 (b, a), highest 10 (a, a).",
        ),
        (
            explore.scatter(SAMPLE, TREND, "steps", "sleep_hours", UNITS),
            "Sleep by steps. 2 points. Steps 1,000.0 to 2,000.0, Sleep (h) 6.0 to 8.0.",
        ),
        (
            common.daily_means(DAYS.assign(steps=np.nan), "steps", UNITS),
            "Steps, mean by day. Steps: no values.",
        ),
    ],
)
def test_the_alternative_text_says_what_the_chart_shows(chart: Any, finding: str) -> None:
    assert described(spec(chart)) == finding


def test_the_finding_is_about_the_days_and_not_about_the_notes() -> None:
    note = Note(id="0", user="u", kind="illness", first=DATES[0], last=DATES[1], text="flu")
    days = DAYS.assign(usual=DAYS["steps"])
    chart = my_days.goal_progress(days, "steps", UNITS, 8_000.0, [note])
    assert described(spec(chart)).startswith("Steps and goal. Steps: lowest 7,000 (1 May 2023)")


def test_a_chart_without_tooltips_is_described_by_its_title() -> None:
    chart = alt.Chart(DAYS).mark_point().encode(x="worn:Q").properties(title="Days")
    assert described(spec(chart)) == "Days"


def test_the_band_of_a_single_day_is_drawn() -> None:
    day = {"date": DATES[0], "kcal": 2_000.0, "expected": 1_900.0, "low": 1_700.0, "high": 2_100.0}
    days = pd.DataFrame([day | {"place": "inside the interval"}])
    # An area through one point has no width.
    assert spec(my_days.expected_energy(days))["layer"][0]["mark"]["type"] == "rule"
    two = pd.concat([days, days.assign(date=DATES[1])])
    assert spec(my_days.expected_energy(two))["layer"][0]["mark"]["type"] == "area"


def test_means_by_day_and_by_weekday_have_the_same_axis() -> None:
    weekdays = pd.DataFrame({"day_of_week": [1, 6], "steps": [6_000.0, 12_000.0]})
    domain = shared_domain(DAYS["steps"], weekdays["steps"])
    by_day = spec(common.daily_means(DAYS, "steps", UNITS, domain))["encoding"]["y"]["scale"]
    by_weekday = spec(explore.weekday_means(weekdays, "steps", UNITS, domain))
    assert by_day == by_weekday["encoding"]["y"]["scale"]
    low, high = by_day["domain"]
    assert low < 6_000
    assert high > 12_000
    # Bars that do not begin at 0 mislead.
    assert by_weekday["mark"]["type"] == "circle"
