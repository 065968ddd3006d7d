"""Data quality: delivered records, data checks, completeness, drift and quarantined files."""

import pandas as pd
import streamlit as st

from dashboard import data, page
from dashboard.charts import common, data_quality
from fitness_assets.formatting import number, plural
from fitness_assets.record.distribution import DRIFT_LIMIT
from fitness_assets.record.raw import NUMBERS
from fitness_assets.release.bundle import DataReport, Release
from fitness_assets.text import verbatim

#: Columns of the table ``quality`` by the part of `data_quality.PARTS` that they count.
_PARTS = {
    "Known": "known",
    "Set to missing": "out_of_range",
    "Missing": "missing",
    "Not worn": "not_worn",
}


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    report = data.report(release).data
    table = data.table(release, "quality")
    summary = release.info.summary
    page.metric_row(
        {
            "Records delivered": number(report.delivered),
            "Duplicates removed": number(report.delivered - report.rows),
            "Records kept": number(report.rows),
            "Values set to missing": number(table["out_of_range"].sum()),
            "Days not worn": number(summary.records - summary.worn_records),
            "Files quarantined": number(len(report.unread)),
        },
        {
            "Duplicates removed": "The last delivered record of a user and day is kept.",
            "Values set to missing": "Such as 30 hours of sleep a day. The rest of "
            "the record is kept.",
        },
    )
    page.caption_of_sample(release)
    st.header("Data checks")
    st.caption("They run before a month is published. A failed blocking check prevents it.")
    page.checks_table(report.checks)
    if table["known"].isna().any() and not (table["known"] > 0).any():
        # A release that does not publish rows of people.
        st.info(
            "The numbers of each measure are of too few people to be published with this release.",
            icon=":material/lock:",
        )
        _drift(report)
    else:
        left, right = st.columns(2, gap="medium")
        with left:
            page.chart(data_quality.completeness, _parts(table))
        with right:
            _drift(report)
        page.chart(common.daily_records, data.table(release, "days"))
        st.header("Ranges and outliers")
        _ranges(table)
    st.header("Quarantine")
    _quarantine(report.unread)


def _parts(table: pd.DataFrame) -> pd.DataFrame:
    records = table[list(_PARTS.values())].sum(axis=1)
    return pd.DataFrame(
        [
            {
                "measurement": NUMBERS[str(row.number)].label,
                "part": part,
                "rank": rank,
                "share": getattr(row, column) / max(total, 1),
            }
            for row, total in zip(table.itertuples(), records, strict=True)
            for rank, (part, column) in enumerate(_PARTS.items())
        ]
    )


def _drift(report: DataReport) -> None:
    check = {check.name: check for check in report.checks}.get("no_drift")
    values = check.values if check else {}  # noqa: PD011 - not a frame's
    if not values:
        reason = check.message if check else "the check did not run"
        st.info(
            f"This month is not compared with the one before: {verbatim(reason)}.",
            icon=":material/info:",
        )
        return
    indices = [
        {"measurement": NUMBERS[name].label, "index": index}
        for name, index in values.items()
        if name in NUMBERS
    ]
    page.chart(data_quality.drift_bars, pd.DataFrame(indices), values.get(DRIFT_LIMIT))
    st.caption(
        "How much the values differ from those of the month before: 0 is not at all (population "
        "stability index). Beyond the limit, the check fails. The limit is higher for months with "
        "few records, which vary by chance."
    )


def _ranges(table: pd.DataFrame) -> None:
    units = page.chosen_units()
    headers = {
        "allowed_low": "Allowed from",
        "allowed_high": "Allowed to",
        "minimum": "Minimum",
        "q1": "Lower quartile",
        "median": "Median",
        "q3": "Upper quartile",
        "maximum": "Maximum",
    }
    factors = [units.factor(name) for name in table["number"]]
    shown = table.assign(
        name=[units.title(name) for name in table["number"]],
        **{mark: table[mark] * factors for mark in headers},
    )
    page.table(
        shown,
        {
            "name": "Measure",
            "known": page.number_column("Known"),
            "missing": page.number_column("Missing"),
            "not_worn": page.number_column("Not worn"),
            "out_of_range": page.number_column("Set to missing"),
            "outliers": page.number_column("Outliers"),
            **{
                mark: st.column_config.NumberColumn(header, format="%,.4g")
                for mark, header in headers.items()
            },
        },
        "Measures with their completeness, ranges and outliers",
    )
    st.caption(
        "Half of the values lie between the quartiles. Outliers are values far beyond them, by "
        "more than three times their distance (Tukey, 1977). They are kept, since a marathon is "
        "one too."
    )


def _quarantine(files: dict[str, str]) -> None:
    if not files:
        st.success("All files of the source were read.", icon=":material/check_circle:")
        return
    st.warning(
        f"{plural(len(files), 'file')} could not be read and {'is' if len(files) == 1 else 'are'} "
        "skipped until fixed. Nothing was moved or deleted.",
        icon=":material/inventory_2:",
    )
    # `st.table` offers no download: names and reasons contain text of the files.
    rows = [{"File": verbatim(name), "Reason": verbatim(reason)} for name, reason in files.items()]
    st.table(pd.DataFrame(rows).set_index("File"))
