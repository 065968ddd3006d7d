"""Trained models, and changed files of models, for tests of several modules."""

import io
import zipfile
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.models.forests import pipelines

_GENERATOR = np.random.default_rng(0)
DAYS = pd.DataFrame(
    {
        "steps": _GENERATOR.integers(0, 20_000, 3_000),
        "calories_burned": _GENERATOR.normal(2_000, 300, 3_000),
        "heart_rate_avg": _GENERATOR.normal(90, 9, 3_000),
        "sleep_hours": _GENERATOR.normal(7, 1, 3_000),
        "activity_type": _GENERATOR.choice(["walking", "yoga", "running"], 3_000),
    }
)


def trained_models() -> dict[str, tuple[Pipeline, pd.DataFrame]]:
    """A trained pipeline of each kind that the platform trains, and rows to predict."""
    names = ["steps", "heart_rate_avg", "sleep_hours"]
    numbers = DAYS[names]
    scaled = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    category = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    features = ColumnTransformer(
        [("category", category, ["activity_type"]), ("numbers", scaled, names)]
    )
    classifier = RandomForestClassifier(5, max_depth=4, random_state=0)
    regressor = RandomForestRegressor(5, max_depth=4, random_state=0)
    activity = Pipeline([("impute", SimpleImputer(strategy="median")), ("forest", classifier)])
    calories = Pipeline([("features", features), ("forest", regressor)])
    segments = Pipeline([("scale", StandardScaler()), ("k-means", KMeans(3, random_state=0))])
    activity.fit(numbers, DAYS["activity_type"])
    calories.fit(DAYS, DAYS["calories_burned"])
    residual, without_history = (
        RandomForestRegressor(5, max_depth=4, random_state=seed) for seed in (0, 1)
    )
    history = pipelines.pipeline(names, residual, ["sleep_hours"], without_history)
    some_history = numbers.assign(
        sleep_hours=numbers["sleep_hours"].where(numbers["steps"] % 3 > 0)
    )
    history.fit(some_history, DAYS["calories_burned"])
    for model in (activity, calories, history):
        pipelines.pack(model)
    return {
        "activity": (activity, numbers),
        "calories": (calories, DAYS),
        "history": (history, some_history),
        "segments": (segments.fit(numbers), numbers),
    }


def rewritten(model: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The model with `change` applied to every file in it."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(source.read(name)))
    return changed.getvalue()
