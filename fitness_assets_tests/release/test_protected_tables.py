"""The tables and metrics of a release whose rows of people are not public."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from fitness_assets.models.forest_metrics import ReliabilityBin
from fitness_assets.models.reports import CompressionReport
from fitness_assets.record.raw import MEASUREMENTS, RANGES
from fitness_assets.release import build, protected_reports, protected_tables, tables
from fitness_assets.release.totals import Totals
from fitness_assets_tests.support.days import random_days
from fitness_assets_tests.support.published import find_people

PEOPLE = 5


@pytest.mark.parametrize(("users", "seed"), [(3, 0), (9, 1), (20, 2)])
def test_no_published_cell_is_of_few_people(users: int, seed: int) -> None:
    days = random_days(users, seed)
    made = protected_tables.data_tables(days, Totals.of(days), RANGES, PEOPLE)
    files = {f"{name}.parquet": build._parquet(table) for name, table in made.items()}
    assert find_people(files, days, set(days["user_id"]), PEOPLE) == []
    if users < PEOPLE:
        assert made["days"].empty
        assert made["histograms"].empty


@pytest.mark.parametrize("seed", range(2))
def test_no_combination_of_published_means_is_of_few_people(seed: int) -> None:
    """Sums follow from means if counts are known. None of their differences is of four people.

    A combination of published sums concerns only the people T if it is 0 on the records of all
    others: if the rank of the cells decreases when the records of T are left out.
    """
    days = random_days(9, seed)
    published = protected_tables.data_tables(days, Totals.of(days), RANGES, PEOPLE)["days"]
    users = pd.factorize(days["user_id"])[0]
    for name in MEASUREMENTS:
        dates = published.loc[published[name].notna(), "date"]
        cells = np.array([(days["date"] == on) & days[name].notna() for on in dates], dtype=float)
        if not len(cells):
            continue
        rank = np.linalg.matrix_rank(cells)
        for few in combinations(range(9), PEOPLE - 1):
            assert np.linalg.matrix_rank(cells[:, ~np.isin(users, few)]) == rank


def test_totals_are_calculated_from_published_cells_only() -> None:
    days = random_days(30, 0)
    made = protected_tables.data_tables(days, Totals.of(days), RANGES, PEOPLE)
    summary = protected_tables.summary(30, made, PEOPLE)
    shown = made["days"]
    assert summary.records == shown["records"].sum()
    assert made["weekdays"].equals(protected_tables.by_weekday(shown))


def test_large_months_lose_little() -> None:
    days = random_days(300, 0)
    made = protected_tables.data_tables(days, Totals.of(days), RANGES, PEOPLE)
    exact = tables.by_day(Totals.of(days))
    assert len(made["days"]) == len(exact)
    assert made["days"]["steps"].to_numpy() == pytest.approx(exact["steps"].to_numpy(), rel=0.01)
    counted = made["histograms"].groupby("number")["days"].sum()
    assert (counted / days[list(counted.index)].count() > 0.95).all()
    both = (days["worn"] & days["steps"].notna() & days["sleep_hours"].notna()).sum()
    pairs = made["pairs"][(made["pairs"]["x"] == "steps") & (made["pairs"]["y"] == "sleep_hours")]
    assert pairs["days"].sum() / both > 0.8


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("needs 5 users; there are 4 and 1", "needs 5 users; there are 5 and 0"),
        ("saves 12.3% on 1,234 users, month 2023-04", "saves 12.3% on 1,235 users, month 2023-04"),
        ("R² 0.913, may fall by 0.05", "R² 0.913, may fall by 0.05"),
        ("larger than its budget: 8 MB of 1 MB", "larger than its budget: 8 MB of 1 MB"),
        (
            "gains in 95% of resamples, on 12, of 1,234, users",
            "gains in 95% of resamples, on 10, of 1,235, users",
        ),
        (None, None),
    ],
)
def test_counts_in_texts_are_rounded(message: str | None, shown: str | None) -> None:
    assert protected_reports.text(message, PEOPLE) == shown


def test_a_compression_report_shows_no_counts_of_people() -> None:
    report = CompressionReport(steps=[], reason="needs 10 users; there are 3")
    shown = protected_reports.compression_report(report, PEOPLE)
    assert shown.reason == "needs 10 users; there are 5"


def test_parts_of_unknown_people_are_left_out() -> None:
    bins = [
        ReliabilityBin(rows=91, confidence=0.9, accuracy=1 / 7, users=users)
        for users in (0, 4, 7, 30)
    ]
    assert protected_reports._reliability(bins, PEOPLE) == [
        ReliabilityBin(rows=90, confidence=0.9, accuracy=0.143)
    ]
    assert protected_reports._counts([[90, 3], [7, 8]], [], PEOPLE) == [[0, 0], [0, 0]]


def test_a_month_of_few_people_has_the_tables_of_cells_that_are_all_suppressed() -> None:
    days = random_days(PEOPLE - 1, 3)
    made = protected_tables.data_tables(days, Totals.of(days), RANGES, PEOPLE)
    known = days.astype(dict.fromkeys(MEASUREMENTS, float))
    expected = {
        "activities": protected_tables.by_activity(known, Totals.of(known), PEOPLE),
        "spreads": protected_tables.spreads(known, PEOPLE),
        "histograms": protected_tables.histograms(known, PEOPLE),
        "correlations": protected_tables.correlations(known, PEOPLE),
        "trends": protected_tables.trends(known, PEOPLE),
        "pairs": protected_tables.pairs(known, PEOPLE),
    }
    for name, table in expected.items():
        pd.testing.assert_frame_equal(made[name], table)
