"""Small trained forests of every kind, with metrics, and rows at the edges of what they take."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from fitness_assets.models.forest_metrics import (
    Agreement,
    ClassificationScores,
    ClassifierEvaluation,
    ClassifierMetrics,
    ColdStart,
    ConstantBaseline,
    Interval,
    RegressionScores,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.forests import activity, calories, pipelines
from fitness_assets.models.forests.candidates import Hyperparameters

_ROWS = 600
_KCAL = RegressionScores(r2=0.0, mae=0.0, rmse=0.0)
_CLASSES = ClassificationScores(
    accuracy=0.0, balanced_accuracy=0.0, macro_f1=0.0, log_loss=0.0, calibration_error=0.0
)
_INTERVAL = Interval(
    edges=[1_500.0, 2_200.0], low=[-90.0, -110.0, -150.5], high=[80.0, 100.0, 130.0]
)
_COLD_START = Interval(edges=[], low=[-300.0], high=[310.0])


def days(rows: int = _ROWS, *, seed: int = 0) -> pd.DataFrame:
    """Days of 30 users with every column that a forest reads; some values are missing."""
    generator = np.random.default_rng(seed)
    numbers = {
        "steps": (8_000, 2_500),
        "distance_km": (6, 2),
        "calories_burned": (2_200, 350),
        "heart_rate_avg": (85, 12),
        "resting_heart_rate": (62, 6),
        "sleep_hours": (7, 1),
        "active_minutes": (45, 20),
        "sedentary_minutes": (600, 90),
        "age": (40, 12),
        "height_cm": (172, 9),
        "weight_kg": (75, 14),
        "steps_mean_28d": (8_000, 1_500),
        "calories_burned_mean_7d": (2_200, 250),
        "calories_burned_mean_28d": (2_200, 250),
    }
    found = pd.DataFrame(
        {name: generator.normal(*shape, rows) for name, shape in numbers.items()}
    ).clip(lower=0)
    found = found.where(generator.random(found.shape) > 0.1)
    return found.assign(
        user_id=np.arange(rows) % 30,
        day_of_week=np.arange(rows) % 7 + 1.0,
        activity_type=generator.choice(np.array(["walking", "running", "yoga", None]), rows),
        sex=generator.choice(np.array(["female", "male", None]), rows, p=[0.5, 0.4, 0.1]),
    )


@cache
def regressor(*, history: bool = True, trees: int = 6) -> tuple[Pipeline, RegressorMetrics]:
    """A calorie regressor; without `trees` the linear model alone."""
    features = [
        name
        for group, names in calories.GROUPS.items()
        for name in names
        if history or group != "history"
    ]
    rows = calories.frame(days()).dropna(subset=[calories.TARGET])
    encoder = calories.encoder(features).fit(rows[features])
    encoded = pipelines.encode(encoder, rows, calories.TARGET)
    hyperparameters = Hyperparameters(trees, 6, 0.01, cold_start=bool(trees))
    model = calories.fit(encoded, pipelines.history_columns(encoder), hyperparameters)
    evaluation = RegressorEvaluation(
        rows=0,
        users=0,
        repeats=0,
        scores=_KCAL,
        baseline=_KCAL,
        coverage=0.0,
        baseline_coverage=0.0,
        interval_width=0.0,
        intervals={},
        slices={},
    )
    return pipelines.with_estimator(encoder, model), RegressorMetrics(
        train_rows=len(rows),
        train_users=30,
        evaluation=evaluation,
        inputs=pipelines.inputs(rows, features),
        constant=ConstantBaseline(mean=0.0, low=0.0, high=0.0),
        linear=_KCAL,
        line_alone=not trees,
        interval=_INTERVAL,
        cold_start=ColdStart(scores=_KCAL, interval=_COLD_START) if history else None,
        trials=[],
        importances={},
        agreement=Agreement(edges=[], counts=[], residual_edges=[], residual_counts=[]),
    )


@cache
def classifier() -> tuple[Pipeline, ClassifierMetrics]:
    """An activity classifier with class weights, derived inputs and calibrated probabilities."""
    rows = activity.frame(days().assign(date=pd.Timestamp("2023-04-01")))
    rows = rows.dropna(subset=[activity.TARGET])
    features = [name for names in activity.GROUPS.values() for name in names]
    features += [name for name in map(str, rows) if name.startswith(activity.PAST)]
    encoder = pipelines.encoder(features, activity.DERIVED).fit(rows[features])
    encoded = pipelines.encode(encoder, rows, activity.TARGET)
    model = activity.fit(encoded, 0, Hyperparameters(8, 7, 0.005, weight=0.5)).calibrated(1.3)
    labels = model.classes_.tolist()
    evaluation = ClassifierEvaluation(
        rows=0,
        users=0,
        repeats=0,
        scores=_CLASSES,
        baseline=_CLASSES,
        intervals={},
        labels=labels,
        confusion=[],
        slices={},
    )
    return pipelines.with_estimator(encoder, model), ClassifierMetrics(
        train_rows=len(rows),
        train_users=30,
        evaluation=evaluation,
        inputs=pipelines.inputs(rows, features),
        class_shares={},
        majority_class="walking",
        trials=[],
        importances={},
        reliability=[],
    )
