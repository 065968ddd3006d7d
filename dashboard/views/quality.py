"""Data quality: what was delivered, what of it could be used, and how it has shifted."""

from typing import Any

import pandas as pd
import streamlit as st

from dashboard import charts, data, page
from dashboard.units import NUMBERS
from fitness_assets.release.bundle import Release

_PARTS = {
    "known": "Known",
    "out_of_range": "Out of range",
    "missing": "Missing",
    "not_worn": "Not worn",
}


@page.of_release("Data quality")
def show(release: Release) -> None:
    """Draw the view."""
    found = data.metrics(release)["daily_activity"]
    table = data.table(release, "quality")
    summary = release.info.summary
    checks = found["checks"]
    page.figures(
        {
            "Records delivered": f"{found['delivered']:,}",
            "Duplicates removed": f"{found['delivered'] - found['rows']:,}",
            "User-days kept": f"{found['rows']:,}",
            "Values out of range": f"{int(table['out_of_range'].sum()):,}",
            "Days not worn": f"{summary.records - summary.worn_records:,}",
            "Files set aside": f"{len(found['set_aside']):,}",
        },
        {
            "Duplicates removed": "Of the records of one user and day, the one delivered last.",
            "Values out of range": "The value is nulled and flagged; the rest of the day stands.",
        },
    )
    st.subheader("Checks")
    st.caption("Made before the month is published. One that blocks and fails keeps it out.")
    page.verdicts(checks)
    left, right = st.columns(2, gap="medium")
    with left:
        page.figure(charts.completeness, _parts(table))
    with right:
        _drift(checks, found["shifted"])
    page.figure(charts.delivered, data.table(release, "days"))
    st.subheader("Ranges and outliers")
    _ranges(table)
    st.subheader("Quarantine")
    _set_aside(found["set_aside"])


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    records = table[list(_PARTS)].sum(axis=1)
    return pd.DataFrame(
        [
            {
                "number": NUMBERS[str(row.number)].label,
                "part": label,
                "rank": rank,
                "share": getattr(row, part) / max(total, 1),
            }
            for row, total in zip(table.itertuples(), records, strict=True)
            for rank, (part, label) in enumerate(_PARTS.items())
        ]
    )


def _drift(checks: list[dict[str, Any]], shifted: float) -> None:
    no_drift = next((check for check in checks if check["name"] == "no_drift"), None)
    if no_drift is None or not no_drift["values"]:
        st.info("There is no month before to compare with.", icon=":material/info:")
        return
    indices = [
        {"number": NUMBERS[name].label, "index": index}
        for name, index in no_drift["values"].items()
    ]
    page.figure(charts.drift, pd.DataFrame(indices), shifted)
    st.caption(
        "0 is the same distribution as the month before. Small months are also allowed what "
        "chance alone makes."
    )


def _ranges(table: pd.DataFrame) -> None:
    units = data.units()
    marks = ["allowed_low", "allowed_high", "least", "q1", "median", "q3", "greatest"]
    factors = [units.factor(name) for name in table["number"]]
    shown = table.assign(
        name=[units.title(name) for name in table["number"]],
        **{mark: table[mark] * factors for mark in marks},
    )
    titles = ["Allowed from", "to", "Least", "Q1", "Median", "Q3", "Greatest"]
    page.table(
        shown,
        {
            "name": "Number",
            "known": page.number("Known"),
            "missing": page.number("Missing"),
            "not_worn": page.number("Not worn"),
            "out_of_range": page.number("Out of range"),
            "outliers": page.number("Outliers"),
            **{
                mark: st.column_config.NumberColumn(title, format="%,.4g")
                for mark, title in zip(marks, titles, strict=True)
            },
        },
        "Each number with what is known of it, its range and its outliers",
    )
    st.caption(
        "Half of the values lie between the quartiles Q1 and Q3. Outliers lie more than three "
        "times that distance outside of them (Tukey, 1977). They are kept: a marathon is one."
    )


def _set_aside(files: dict[str, str]) -> None:
    if not files:
        st.success("Every file of the source could be read.", icon=":material/check_circle:")
        return
    st.warning(
        f"{len(files)} files could not be read. They stay where they are; the months go on without "
        "them until they are mended.",
        icon=":material/inventory_2:",
    )
    # A table that offers no download: names and reasons are whatever a file is called.
    rows = [{"File": name, "Reason": reason} for name, reason in files.items()]
    st.table(pd.DataFrame(rows).set_index("File"))
