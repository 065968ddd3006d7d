"""Real users: scores of the calorie regressor on held-out users.

The data is searched where the tests search: in FITNESS_SHARED_DATA, else next to the repository.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd
    from rich.table import Table

_FOLDS = 5
_BUDGET = 38_000
_MONTHS = ("2016-04", "2016-05")


def real_users() -> "Iterator[Table]":
    """Real Fitbit users, cross-validated with five folds by user."""
    from rich.table import Table
    from sklearn.linear_model import LinearRegression

    from fitness_assets.models import evaluation
    from fitness_assets.models.forests import calories, pipelines

    table = Table("kcal per day", "users", "days", "R2", "MAE kcal", "ratio", title="real users")
    folder = _folder()
    if not folder.is_dir():
        table.add_row(f"no real data: {folder} does not exist", "", "", "", "", "")
        yield table
        return
    days = calories.frame(_imported(folder))
    days = days[days["worn"] & days[calories.TARGET].notna()].reset_index(drop=True)
    truth = days[calories.TARGET].to_numpy()
    by_user = np.random.default_rng(0).permutation(days["user_id"].nunique()) % _FOLDS
    user_folds = by_user[days["user_id"].factorize()[0]]
    row_folds = np.random.default_rng(0).integers(_FOLDS, size=len(days))

    def mean(train: "pd.DataFrame", test: "pd.DataFrame") -> Any:
        return test[calories.OFFSET].fillna(train[calories.TARGET].mean())

    def linear(train: "pd.DataFrame", test: "pd.DataFrame") -> Any:
        features = calories.select(train, _BUDGET, few=True).selected.features
        # Unlike `calories.encoder`, no history: the offset is a number like the others.
        model = pipelines.with_estimator(pipelines.encoder(features, []), LinearRegression())
        model = model.fit(train[features], train[calories.TARGET])
        return model.predict(test[features])

    def regressor(train: "pd.DataFrame", test: "pd.DataFrame") -> Any:
        model = calories.select(train, _BUDGET, few=True).model
        return model.predict(test[list(model.feature_names_in_)])

    def without_history(train: "pd.DataFrame", test: "pd.DataFrame") -> Any:
        return regressor(train, calories.mask_history(test))

    runs: dict[str, tuple[Callable[..., Any], np.ndarray]] = {
        "the user's own past mean": (mean, user_folds),
        "linear model, same features": (linear, user_folds),
        "calorie regressor": (regressor, user_folds),
        "calorie regressor, without history": (without_history, user_folds),
        "calorie regressor, rows split at random instead of users": (regressor, row_folds),
    }
    first: float | None = None
    for name, (predict, folds) in runs.items():
        predicted = np.empty(len(days))
        for fold in range(_FOLDS):
            test = folds == fold
            predicted[test] = predict(days[~test], days[test])
        scores = evaluation.regression(truth, predicted)
        first = first or scores.r2
        table.add_row(
            name,
            f"{days['user_id'].nunique()}",
            f"{len(days):,}",
            f"{scores.r2:.3f}",
            f"{scores.mae:.0f}",
            f"{scores.r2 / first:.2f}",
        )
    yield table


def _folder() -> Path:
    declared = os.environ.get("FITNESS_SHARED_DATA")
    sibling = Path(__file__).parents[2] / "shared" / "data"
    return (Path(declared) if declared else sibling) / "fitabase"


def _imported(folder: Path) -> "pd.DataFrame":
    """The days of the export from the lake, after the ETL."""
    from fitness_assets.models.forests import calories
    from fitness_assets.storage.lake import Lake, TableInfo

    with tempfile.TemporaryDirectory() as home:
        settings = {
            "FITNESS_HOME": home,
            "FITNESS_SOURCE": "exports",
            "FITNESS_FIRST_MONTH": _MONTHS[0],
            "FITNESS_LAST_MONTH": _MONTHS[-1],
        }
        fitness = Path(sys.executable).with_name("fitness")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = [fitness, "import", str(folder)]
        subprocess.run(command, check=True, env=os.environ | settings, **quiet)
        lake = Lake(Path(home, "lake", "daily_activity"), TableInfo)
        return lake.scan(list(_MONTHS), calories.COLUMNS).table.to_pandas()
