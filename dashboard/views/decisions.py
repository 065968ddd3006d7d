"""Decisions: five design choices, their trade-offs, and measurements of this release."""

import platform
from importlib.metadata import PackageNotFoundError, version

import streamlit as st

from dashboard import data, page
from fitness_assets.formatting import number, percent, plural, size
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.release.bundle import DataReport, Release, ReleaseReport
from fitness_assets.text import verbatim


@page.view
def show(release: Release) -> None:
    """Draw the view."""
    st.caption(
        f"The numbers are of the release of {release.month} and of the process of this dashboard."
    )
    report = data.report(release)
    _spark(release, report.data)
    _forests(report)
    _compression(release, report)
    _loading(release, report)
    _reproducibility(release, report)


def _decision(title: str, choice: str, trade_off: str, numbers: dict[str, str]) -> None:
    with st.container(border=True):
        st.header(title)
        st.write(choice)
        st.write(f"**Trade-off.** {trade_off}")
        page.metric_row(numbers)


def _spark(release: Release, lake: DataReport) -> None:
    _decision(
        "1. Spark for the ETL, Parquet by month",
        "The lake is partitioned by year and month and stored by column, so a reader opens only "
        "the months and columns that it needs. The same job runs on one machine or on a cluster, "
        "and writes the same bytes on both.",
        "A JVM must start, which takes seconds. Below some millions of records a month, pandas or "
        "DuckDB finishes before Spark has started.",
        {
            "Records of the month": number(lake.rows),
            "Size of the month in the lake": size(lake.bytes),
            f"Read for this release: {lake.columns_read} of {lake.columns} columns": size(
                lake.bytes_read
            ),
            "Months that the models were trained on": number(
                len(release.info.learned_from["calorie_regressor"])
            ),
        },
    )


def _forests(report: ReleaseReport) -> None:
    numbers = {}
    activity = data.carried_metrics(report.models["activity_classifier"], ClassifierMetrics)
    calories = data.carried_metrics(report.models["calorie_regressor"], RegressorMetrics)
    if activity:
        numbers["Activity right, random forest"] = percent(activity.evaluation.scores.accuracy)
        numbers["Activity right, always the most common"] = percent(
            activity.evaluation.baseline.accuracy
        )
    comparison = ""
    if calories:
        numbers["Mean error, random forest"] = f"{number(calories.evaluation.scores.mae)} kcal"
        numbers["Mean error, linear model"] = f"{number(calories.linear.mae)} kcal"
        forest, linear = calories.evaluation.scores.mae, calories.linear.mae
        comparison = (
            f" For the energy of this month its error is {_compared(forest, linear)} that of a "
            "linear model with the same inputs."
        )
    if not numbers:
        comparison = " No random forest was released this month."
    _decision(
        "2. Random forests",
        "The effect of one measurement depends on the others: 500 kcal in 2,000 steps is not the "
        "same activity as 500 kcal in 10,000 steps. Trees learn such interactions from the data, "
        f"whatever the scale of a measurement.{comparison}",
        "A forest cannot predict beyond the values that it was trained on, and is large unless its "
        "size is limited. The energy of a day is nearly a sum, for which a linear model can be as "
        "good.",
        numbers,
    )


def _compression(release: Release, report: ReleaseReport) -> None:
    numbers = {}
    steps = report.compression.compressed if report.compression else []
    if steps:
        first, last = steps[0], steps[-1]
        numbers = {
            "scikit-learn's default": size(first.bytes),
            "Packed, with the same inputs": size(last.bytes),
            "Times smaller": number(first.bytes / last.bytes),
            "Score (R²), default and packed": f"{number(first.r2, 3)}, {number(last.r2, 3)}",
        }
    file = release.model_file("calorie_regressor")
    numbers["Released, with more inputs"] = size(file.bytes) if file else "not released"
    _decision(
        "3. A limited forest in a packed form",
        "Depth, number of trees and days per leaf are limited before anything is compressed. The "
        "limits are those that score best on days that were not used for training. The forest is "
        "then stored as flat arrays, and predicts from them.",
        "A packed forest can only predict, and reading it needs code of this project. The report "
        "that measures each step is made on request.",
        numbers,
    )


def _loading(release: Release, report: ReleaseReport) -> None:
    loaded = page.loaded_models(release)
    files = release.manifest.files
    largest = max(files, key=lambda file: file.bytes)
    numbers = {
        "Release": f"{plural(len(files), 'file')}, {size(release.manifest.bytes)}",
        f"Largest file, {verbatim(largest.name)}": size(largest.bytes),
    }
    if loaded is not None:
        carried = [report.models[name].carried for name, model in loaded.models.items() if model]
        numbers["Models in memory"] = size(sum(each.memory_bytes or 0 for each in carried if each))
        resident = loaded.steps[-1].resident
        if resident:
            budget = size(data.settings().memory)
            numbers["This process, models loaded"] = f"{size(resident)} of {budget}"
    _decision(
        "4. Google Drive, and loading within a memory budget",
        "A release is a folder of files, which Google Drive serves by public link. Each file is "
        "checked against its hash before it is used. The segment model and the classifier are "
        "loaded first; unused memory is returned to the system; then the regressor is loaded. A "
        "model that would exceed the budget is not loaded, so that the system does not end the "
        "process.",
        "Links on Google Drive have quotas and no guarantee. If a newer release cannot be "
        "downloaded, the last verified one is shown.",
        numbers,
    )


def _reproducibility(release: Release, report: ReleaseReport) -> None:
    built_with = release.info.libraries
    same = sum(built_with[name] == _version(name) for name in built_with)
    gates = [gate for model in report.models.values() for gate in model.report.gates]
    results = [*report.data.checks, *gates]
    judged = [result for result in results if result.judged]
    passed = sum(result.passed for result in judged)
    _decision(
        "5. A container, a lock file and CI",
        "Java is a Python wheel of the lock file, so one install or one image contains everything. "
        "Tests run on each commit: functions of the ETL, whole months through Dagster, and this "
        "dashboard in a browser.",
        "The image is large, since it contains a JVM. The dashboard needs no JVM: its requirements "
        "are a shorter list, generated from the same lock file.",
        {
            "Same library versions as the build": f"{same} of {len(built_with)}",
            "Built with Python": verbatim(built_with.get("python", "unknown")),
            "Checks and gates passed": f"{passed} of {len(judged)}",
            "Data version": release.manifest.data_version[:12],
        },
    )


def _compared(first: float, second: float) -> str:
    """How an error compares with another one, as both are shown."""
    if round(first) == round(second):
        return "the same as"
    return "smaller than" if first < second else "larger than"


def _version(name: str) -> str:
    if name == "python":
        return platform.python_version()
    try:
        return version(name)
    except PackageNotFoundError:
        return "none"
