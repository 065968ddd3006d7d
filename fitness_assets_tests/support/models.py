"""Trained models, and changed files of models, for tests of several modules."""

import io
import zipfile
from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fitness_assets.models.forests import activity, calories, pipelines
from fitness_assets.models.forests.candidates import Hyperparameters
from fitness_assets.models.forests.packed.estimator import PackedForest

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


@cache
def trained_models() -> dict[str, tuple[Pipeline, pd.DataFrame]]:
    """A trained pipeline of each kind that the platform trains, and rows to predict; cached.

    Tests that change a pipeline copy it.
    """
    names = ["steps", "heart_rate_avg", "sleep_hours"]
    numbers = DAYS[names]
    scaled = Pipeline([("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())])
    category = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    features = ColumnTransformer(
        [("category", category, ["activity_type"]), ("numbers", scaled, names)]
    )
    targets = DAYS[["calories_burned", "activity_type"]].assign(user_id=np.arange(len(DAYS)) % 30)
    segments = Pipeline([("scale", StandardScaler()), ("k-means", KMeans(3, random_state=0))])
    some_history = numbers.assign(
        sleep_hours=numbers["sleep_hours"].where(numbers["steps"] % 3 > 0)
    )
    encoder = pipelines.encoder(names, [], ["sleep_hours"]).fit(some_history)
    rows = pipelines.encode(encoder, some_history.join(targets), "calories_burned")
    hyperparameters = Hyperparameters(5, 4, 0.001, cold_start=True)
    history = calories.fit(rows, pipelines.history_columns(encoder), hyperparameters)
    forest = RandomForestRegressor(5, max_depth=4, random_state=0)
    forest.fit(features.fit_transform(DAYS), DAYS["calories_burned"])
    plain = pipelines.encoder(names, []).fit(numbers)
    labelled = pipelines.encode(plain, numbers.join(targets), "activity_type")
    classifier = activity.fit(labelled, 0, Hyperparameters(5, 4, 0.001, weight=0.5))
    return {
        "activity": (pipelines.with_estimator(plain, classifier), numbers),
        "calories": (Pipeline([("features", features), ("forest", PackedForest.of(forest))]), DAYS),
        "history": (pipelines.with_estimator(encoder, history), some_history),
        "segments": (segments.fit(numbers), numbers),
    }


def rewritten(model: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The model with `change` applied to every file in it."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(model)) as source, zipfile.ZipFile(changed, "w") as target:
        for name in source.namelist():
            target.writestr(name, change(source.read(name)))
    return changed.getvalue()
