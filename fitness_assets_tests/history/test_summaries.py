"""Summaries of weeks and months, compared with pandas."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from fitness_assets.history.schema import MEASURES, SUMMARIES
from fitness_assets.history.summaries import Span, spans, summarize
from fitness_assets_tests.support.lives import as_days, life

MONTH = "2023-05"
LAST = date(2023, 5, 31)


@pytest.fixture(scope="module")
def lives() -> dict[str, pd.DataFrame]:
    first = date(2023, 4, 1)
    return {user: life(first, LAST, number, gaps=0.3) for number, user in enumerate(("b", "a"))}


def summary(lives: dict[str, pd.DataFrame], month: str = MONTH, last: date = LAST) -> pd.DataFrame:
    table = summarize(as_days(lives), month, last)
    assert table.schema == SUMMARIES
    frame: pd.DataFrame = table.to_pandas()
    return frame


def test_a_week_is_in_the_month_of_its_sunday() -> None:
    found = spans(MONTH, LAST)
    assert [span.first for span in found] == [
        *(date(2023, 5, day) for day in (1, 8, 15, 22)),
        date(2023, 5, 1),
    ]
    assert spans("2023-06", date(2023, 6, 30))[0] == Span(
        "week", date(2023, 5, 29), date(2023, 6, 4)
    )


def test_every_week_is_in_exactly_one_month() -> None:
    weeks = [
        span.first
        for month in pd.period_range("2019-01", "2024-12", freq="M")
        for span in spans(str(month), month.end_time.date())
        if span.period == "week"
    ]
    assert weeks == list(pd.date_range(weeks[0], weeks[-1], freq="7D").date)


def test_a_period_that_has_not_ended_counts_its_days_so_far() -> None:
    found = spans(MONTH, date(2023, 5, 10))
    assert found == [
        Span("week", date(2023, 5, 1), date(2023, 5, 7)),
        Span("week", date(2023, 5, 8), date(2023, 5, 10)),
        Span("month", date(2023, 5, 1), date(2023, 5, 10)),
    ]


def test_the_numbers_are_those_of_pandas(lives: dict[str, pd.DataFrame]) -> None:
    table = summary(lives)
    records = as_days(lives).to_pandas()
    records["date"] = pd.to_datetime(records["date"])
    records.loc[~records["worn"], list(MEASURES)] = np.nan
    for row in table.to_dict("records"):
        own = records[records["user_id"] == row["user_id"]].set_index("date")
        start = pd.Timestamp(row["start"])
        period = own.loc[start : start + pd.Timedelta(days=row["length"] - 1)]
        values = period[row["measure"]].dropna().astype(float)
        assert row["days"] == len(values) > 0
        assert row["worn"] == period["worn"].sum()
        expected = values.quantile([0.1, 0.5, 0.9])
        found = [row[name] for name in ("p10", "median", "p90")]
        assert found == pytest.approx(list(expected), rel=1e-5)
        before = own.loc[start - pd.Timedelta(days=21) : start - pd.Timedelta(days=1)]
        usual = before[row["measure"]].dropna().astype(float)
        if len(usual) < 7:
            assert np.isnan(row["baseline"])
        else:
            assert row["baseline"] == pytest.approx(usual.median(), rel=1e-5)


def test_rows_are_sorted_by_user_measure_period_and_start(lives: dict[str, pd.DataFrame]) -> None:
    table = summary(lives)
    order = table.assign(measure=table["measure"].map(MEASURES.index))
    keys = ["user_id", "measure", "period", "start"]
    assert order[keys].equals(order[keys].sort_values(keys, kind="stable"))
    assert not table.duplicated(keys).any()


def test_days_not_worn_never_count(lives: dict[str, pd.DataFrame]) -> None:
    changed = {user: days.copy() for user, days in lives.items()}
    for days in changed.values():
        days.loc[~days["worn"], ["weight_kg", "resting_heart_rate", "sleep_hours"]] = 1.0
    pd.testing.assert_frame_equal(summary(changed), summary(lives))


def test_a_user_without_worn_days_has_no_rows(lives: dict[str, pd.DataFrame]) -> None:
    idle = {"c": lives["a"].assign(worn=False)}
    assert summary(idle).empty
    assert set(summary(lives | idle)["user_id"]) == {"a", "b"}
