"""Charts as Vega-Lite specifications."""

import numpy as np
import pandas as pd

from dashboard.charts.my_days import calendar_heatmap
from dashboard.charts.theme import rows_height, themed
from fitness_assets.record.units import Units


def days(steps: list[float]) -> pd.DataFrame:
    dates = pd.date_range("2023-04-01", periods=len(steps)).date
    return pd.DataFrame({"date": dates, "steps": np.array(steps)})


def test_the_calendar_heatmap_puts_each_day_into_its_week() -> None:
    spec = calendar_heatmap(days([1.0] * 30), "steps", Units()).to_dict()
    (rows,) = spec["datasets"].values()
    # 1 April 2023 was a Saturday.
    assert [(row["week"], row["weekday"]) for row in rows[:3]] == [
        (0, "Sat"),
        (0, "Sun"),
        (1, "Mon"),
    ]


def test_numbers_of_axes_have_commas_and_no_exponents() -> None:
    spec = themed(calendar_heatmap(days([6_000.0] * 30), "steps", Units())).to_dict()
    assert spec["config"]["numberFormat"] == ",~r"


def test_a_chart_of_rows_grows_by_row_and_has_room_for_axes_and_legend() -> None:
    assert rows_height(3, 20) - rows_height(2, 20) == 20
    assert rows_height(1, 20) > 100
    assert rows_height(1, 20, axis_title=True, legend_rows=1) > rows_height(1, 20, axis_title=True)
