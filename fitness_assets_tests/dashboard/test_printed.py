"""Tables as they are printed."""

import math
import re

import pandas as pd

from dashboard import page, printed

FRAME = pd.DataFrame(
    {
        "name": ["Steps", "<img src=x>"],
        "count": [56_437.0, math.nan],
        "share": [12.34, 100.0],
        "mark": [4_236.0, 0.345678],
        "text": ["+103", None],
    }
)
COLUMNS = {
    "name": "Measure & unit",
    "count": page.number_column("Known"),
    "share": page.percent_column("Share", 1),
    "mark": page.number_column("Mark", 2),
    "text": page.text_column("Difference"),
}


def test_a_printed_table_has_all_columns_with_the_numbers_of_the_screen() -> None:
    rows = [
        re.findall("<t[dh]>(.*?)</t[dh]>", row)
        for row in printed.table(FRAME, COLUMNS).split("</tr>")
    ]
    assert rows[0] == ["Measure &amp; unit", "Known", "Share", "Mark", "Difference"]
    assert rows[1] == ["Steps", "56,437", "12.3%", "4,236.00", "+103"]
    assert rows[2] == ["&lt;img src=x&gt;", "no data", "100.0%", "0.35", "no data"]
