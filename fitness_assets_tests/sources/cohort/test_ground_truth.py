"""The ETL and the models compared with the ground truth of the cohort."""

import numpy as np
import pandas as pd
import pytest

from fitness_assets.models.datasets import held_out
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MONTHS, USERS


@pytest.fixture(scope="module")
def both(released: Settings) -> pd.DataFrame:
    """Days from the ETL, with the true values (``_clean``) and the best predictions (``_best``)."""
    days = Workspace.of(released).daily.scan(MONTHS).table.to_pandas()
    cohort = Cohort(USERS, released.cohort_seed)
    truths = {month: cohort.truth(month) for month in MONTHS}
    for month, truth in truths.items():
        assert len(truth.days) == (days["date"].astype(str).str[:7] == month).sum()
    for name, suffix in (("days", "_clean"), ("best", "_best")):
        true = pd.concat([getattr(truth, name).to_pandas() for truth in truths.values()])
        days = days.merge(true, on=["user_id", "date"], suffixes=("", suffix), validate="1:1")
    users = truths[MONTHS[0]].users.to_pandas()[["user_id", "counted_share"]]
    joined: pd.DataFrame = days.merge(users, on="user_id", validate="m:1")
    return joined


def test_the_etl_recovers_the_true_values(both: pd.DataFrame) -> None:
    worn = both[both["worn"]]
    assert 0.94 < len(worn) / len(both) < 0.98
    always = ["calories_burned", "active_minutes", "sedentary_minutes", "activity_type"]
    sometimes = ["heart_rate_avg", "resting_heart_rate", "sleep_hours"]
    for name in (*always, *sometimes):
        known = worn[name].notna()
        assert (worn.loc[known, name] == worn.loc[known, f"{name}_clean"]).all(), name
        assert known.all() if name in always else 0.7 < known.mean() < 0.95, name
    counted = worn["steps_clean"] * worn["counted_share"]
    assert ((worn["steps"] - counted).abs() <= 1).all(), "no partial day is left"
    flagged = worn["quality_flags"].explode().dropna()
    assert set(flagged) == {"sleep_hours_out_of_range", "distance_km_out_of_range"}
    walked = worn["distance_km_clean"] * worn["counted_share"]
    known = worn["distance_km"].notna()
    assert known.mean() > 0.99
    assert ((worn["distance_km"] - walked).abs()[known] < 0.02).all()
    assert both.loc[~both["worn"], ["steps", *always, *sometimes]].isna().all(axis=None)


def test_model_scores_are_near_the_best_possible_and_not_above(
    both: pd.DataFrame, released: Settings
) -> None:
    models = Workspace.of(released).models
    days = both[both["worn"] & held_out(both["user_id"])]

    calories = models["calorie_regressor"].report(MONTHS[-1]).metrics
    assert isinstance(calories, RegressorMetrics)
    assert calories.evaluation.rows == len(days)
    noise = days["calories_burned"] - days["calories_burned_best"]
    irreducible = float(np.sqrt((noise**2).mean()))
    assert irreducible < calories.evaluation.scores.rmse < 2.5 * irreducible

    activity = models["activity_classifier"].report(MONTHS[-1]).metrics
    assert isinstance(activity, ClassifierMetrics)
    accuracy = activity.evaluation.scores.accuracy
    best = (days["activity_type"] == days["activity_type_best"]).mean()
    majority = activity.evaluation.baseline.accuracy
    assert majority < accuracy < best
    assert (accuracy - majority) / (best - majority) > 0.4
