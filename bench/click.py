"""From a click in the Dagster UI to the month in the dashboard."""

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.served import ask, serving
from fitness_assets_tests.support.platform import wait_for

_MONTH = "2023-04"
_LIMIT = 60
_LAUNCH = f"""
mutation {{
  launchRun(executionParams: {{
    mode: "default"
    selector: {{
      repositoryLocationName: "fitness_assets.definitions"
      repositoryName: "__repository__"
      pipelineName: "monthly_pipeline"
    }}
    executionMetadata: {{tags: [{{key: "dagster/partition", value: "{_MONTH}"}}]}}
    runConfigData: {{}}
  }}) {{ ... on LaunchRunSuccess {{ run {{ id }} }} ... on PythonError {{ message }} }}
}}
"""
#: What a step is part of, in order.
_PARTS = {
    "the process of the run starts": (),
    "the lake": ("raw_telemetry", "workouts", "daily_activity", "person_history"),
    "the models": ("segment_model", "activity_classifier", "calorie_regressor", "model_backtest"),
    "the release, which the dashboard shows": ("dashboard_release",),
}


def click() -> Iterator[Table]:
    """Seconds from a click in the Dagster UI until a first month is in the dashboard: at most 60.

    A month of the default cohort in a new home. `fitness serve` runs; the run starts a process,
    which starts Spark.
    """
    table = Table("from the click until the end of", "seconds", "limit", "ratio", title="click")
    with tempfile.TemporaryDirectory() as home:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FITNESS")}
        with serving({**kept, "FITNESS_HOME": home}) as port:
            began = time.time()
            run = ask(port, _LAUNCH)["launchRun"]["run"]["id"]
            pointer = Path(home, "releases", "latest.json")
            wait_for("the release", pointer.exists, pause=0.1)
            released = time.time() - began
            wait_for("the end of the run", lambda: _run(port, run)["status"] == "SUCCESS")
            steps = {step["stepKey"]: step for step in _run(port, run)["stepStats"]}
    first = min(step["startTime"] for step in steps.values()) - began
    for part, names in _PARTS.items():
        ends = [steps[name]["endTime"] - began for name in names]
        seconds = released if part.startswith("the release") else max(ends, default=first)
        limit = str(_LIMIT) if part.startswith("the release") else ""
        table.add_row(part, f"{seconds:.1f}", limit, f"{seconds / released:.2f}")
    yield table


def _run(port: int, run: str) -> Any:
    fields = "stepKey startTime endTime"
    query = (
        f'{{ runOrError(runId: "{run}") {{ ... on Run {{ status stepStats {{ {fields} }} }} }} }}'
    )
    return ask(port, query)["runOrError"]
