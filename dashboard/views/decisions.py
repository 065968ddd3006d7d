"""Decisions: five choices, what each trades, and what was measured for it here."""

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import streamlit as st

from dashboard import data, page
from fitness_assets.release.bundle import Release, served
from fitness_assets.settings import Settings


@page.of_release("Decisions")
def show(release: Release) -> None:
    """Draw the view."""
    st.caption(
        f"The figures are those of the release of {release.month} and of the process that shows it."
    )
    metrics = data.metrics(release)
    _spark(release, metrics)
    _forests(metrics)
    _compression(release, metrics)
    _loading(release, metrics)
    _reproducible(release, metrics)


def _choice(title: str, chosen: str, trade: str, measured: dict[str, str]) -> None:
    with st.container(border=True):
        st.subheader(title)
        st.write(chosen)
        st.write(f"**The trade-off.** {trade}")
        page.figures(measured)


def _spark(release: Release, metrics: dict[str, Any]) -> None:
    lake = metrics["daily_activity"]
    _choice(
        "1. Spark for the ETL, Parquet by month",
        "The lake is partitioned by year and month and stored by column, so a reader opens the "
        "months and the columns it needs and no others. The same job runs on one machine or on a "
        "cluster, and writes the same bytes on both.",
        "A JVM must start, which costs seconds: below some millions of records a month pandas or "
        "DuckDB is done before Spark has begun.",
        {
            "Records of the month": f"{lake['rows']:,}",
            "The month in the lake": page.size(lake["bytes"]),
            f"Read for this release, {lake['columns_read']} of {lake['columns']} columns": (
                f"{page.size(lake['bytes_read'])} "
                f"({lake['bytes_read'] / max(lake['bytes'], 1):.0%})"
            ),
            "Months that the models read": str(len(release.info.learned_from["calorie_regressor"])),
        },
    )


def _forests(metrics: dict[str, Any]) -> None:
    measured = {}
    activity = served(metrics["activity_classifier"])
    calories = served(metrics["calorie_regressor"])
    if activity:
        measured["Macro F1, the forest"] = f"{activity['macro_f1']:.3f}"
        measured["Macro F1, always the commonest"] = f"{activity['baseline_macro_f1']:.3f}"
    if calories:
        measured["R², the forest"] = f"{calories['r2']:.3f}"
        measured["R², a linear model"] = f"{calories['linear']['r2']:.3f}"
    told = "Neither forest was released this month." if not measured else ""
    better = calories and calories["r2"] >= calories["linear"]["r2"]
    verdict = ""
    if calories:
        verdict = (
            " On this month's calories it beats a linear model of the same inputs."
            if better
            else " On this month's calories a linear model of the same inputs does better, and "
            "the figures say so."
        )
    _choice(
        "2. Random forests",
        "500 kcal over 2,000 steps are not 500 kcal over 10,000: readings interact, and trees find "
        f"that without being told, whatever the scale of a reading.{verdict} {told}".rstrip(),
        "A forest does not extrapolate and is large as it comes. Where what counts is a sum, as "
        "with the energy of a day, a line may do as well.",
        measured,
    )


def _compression(release: Release, metrics: dict[str, Any]) -> None:
    report = metrics.get("compression_report") or {}
    steps = report.get("steps")
    if steps:
        first, last = steps[0], steps[-1]
        measured = {
            "As scikit-learn comes": page.size(first["bytes"]),
            "As released": page.size(last["bytes"]),
            "Times smaller": f"{first['bytes'] / last['bytes']:,.0f}",
            "R², before and after": f"{first['r2']:.3f}, {last['r2']:.3f}",
        }
    else:
        file = release.model_file("calorie_regressor")
        measured = {"As released": page.size(file.bytes) if file else "not released"}
    _choice(
        "3. Bounds on the forest, then a packed form",
        "Depth, number of trees and days a leaf are bounded before anything is compressed, and "
        "chosen by what unseen users show. The forest is then stored as flat arrays, and served "
        "from the same.",
        "A packed forest can predict and nothing else, and takes code of our own to read. The "
        "report that measures every step is made on demand.",
        measured,
    )


def _loading(release: Release, metrics: dict[str, Any]) -> None:
    loaded = data.models(release)
    files = release.manifest.files
    largest = max(files, key=lambda file: file.bytes)
    measured = {
        "The release": f"{len(files)} files, {page.size(release.manifest.bytes)}",
        f"Its largest file, {largest.name}": page.size(largest.bytes),
    }
    if loaded is not None:
        told = [served(metrics[name]) for name, model in loaded.models.items() if model]
        size = sum(each["memory_bytes"] for each in told if each)
        measured["The models in memory"] = page.size(size)
        held = loaded.steps[-1].resident
        may = page.size(Settings.from_env().memory)
        if held:
            measured["This process, models loaded"] = f"{page.size(held)} of {may}"
    _choice(
        "4. Google Drive, and loading by the memory there is",
        "A release is a folder of files that Drive serves by public link, each verified by its "
        "hash before it is believed. Segments and classifier are loaded first, memory is given "
        "back to the system, then the regressor is loaded. A model that would pass the budget is "
        "refused rather than killed.",
        "A link on Drive has quotas and no guarantee, so the last good release is kept and shown "
        "where a newer one cannot be had.",
        measured,
    )


def _reproducible(release: Release, metrics: dict[str, Any]) -> None:
    made = release.info.libraries
    here = {name: _version(name) for name in made}
    same = sum(made[name] == here[name] for name in made)
    checks = metrics["daily_activity"]["checks"]
    gates = [
        gate for name in metrics if "gates" in metrics[name] for gate in metrics[name]["gates"]
    ]
    passed = sum(verdict["passed"] for verdict in [*checks, *gates])
    _choice(
        "5. A container, a lock file and CI",
        "Java comes as a Python wheel of the lock file, so that one install or one image holds all "
        "of it. Tests run on each commit: the ETL's functions one by one, whole months through "
        "Dagster, and a browser on this dashboard.",
        "The image is large, for it holds a JVM. This dashboard needs neither: its own list of "
        "requirements is generated from the same lock.",
        {
            "Libraries as when it was made": f"{same} of {len(made)}",
            "Made with Python": made["python"],
            "Checks and gates passed": f"{passed} of {len(checks) + len(gates)}",
            "Data version": release.manifest.data_version[:12],
        },
    )


def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
