"""How near the platform comes to what is true of the cohort."""

import numpy as np
import pandas as pd
import pytest

from fitness_assets.models.datasets import held_out
from fitness_assets.settings import Settings
from fitness_assets.sources.cohort.source import Cohort
from fitness_assets.workspace import Workspace
from fitness_assets_tests.support.platform import MONTHS, USERS


@pytest.fixture(scope="module")
def both(released: Settings) -> pd.DataFrame:
    """Days as the ETL made them; with ``_clean``, as they were; with ``_best``, as expected."""
    made = Workspace.of(released).daily.scan(MONTHS).table.to_pandas()
    cohort = Cohort(USERS, released.cohort_seed)
    for month in MONTHS:
        assert len(cohort.truth(month).days) == (made["date"].astype(str).str[:7] == month).sum()
    truths = [cohort.truth(month) for month in MONTHS]
    for name in ("days", "best"):
        known = pd.concat([getattr(truth, name).to_pandas() for truth in truths])
        suffix = "_clean" if name == "days" else "_best"
        made = made.merge(known, on=["user_id", "date"], suffixes=("", suffix), validate="1:1")
    people = truths[0].people.to_pandas()[["user_id", "steps_counted"]]
    whole: pd.DataFrame = made.merge(people, on="user_id", validate="m:1")
    return whole


def test_the_etl_gives_back_what_happened(both: pd.DataFrame) -> None:
    worn = both[both["worn"]]
    assert 0.94 < len(worn) / len(both) < 0.98
    always = ["calories_burned", "active_minutes", "sedentary_minutes", "activity_type"]
    sometimes = ["heart_rate_avg", "resting_heart_rate", "sleep_hours"]
    for name in (*always, *sometimes):
        known = worn[name].notna()
        assert (worn.loc[known, name] == worn.loc[known, f"{name}_clean"]).all(), name
        assert known.all() if name in always else 0.7 < known.mean() < 0.95, name
    counted = worn["steps_clean"] * worn["steps_counted"]
    assert ((worn["steps"] - counted).abs() <= 1).all(), "no day is one in part"
    flagged = worn["quality_flags"].explode().dropna()
    assert set(flagged) == {"sleep_hours_out_of_range", "distance_km_out_of_range"}
    walked = worn["distance_km_clean"] * worn["steps_counted"]
    known = worn["distance_km"].notna()
    assert known.mean() > 0.99
    assert ((worn["distance_km"] - walked).abs()[known] < 0.02).all()
    assert both.loc[~both["worn"], ["steps", *always, *sometimes]].isna().all(axis=None)


def test_models_come_near_what_can_be_known_and_not_past_it(
    both: pd.DataFrame, released: Settings
) -> None:
    models = Workspace.of(released).models
    days = both[both["worn"] & held_out(both["user_id"])]

    calories = models["calorie_regressor"].metrics(MONTHS[-1])
    assert calories["heldout_rows"] == len(days)
    chance = days["calories_burned"] - days["calories_burned_best"]
    irreducible = float(np.sqrt((chance**2).mean()))
    assert irreducible < calories["rmse"] < 2.5 * irreducible

    activity = models["activity_classifier"].metrics(MONTHS[-1])
    best = (days["activity_type"] == days["activity_type_best"]).mean()
    majority = activity["baseline_accuracy"]
    assert majority < activity["accuracy"] < best
    assert (activity["accuracy"] - majority) / (best - majority) > 0.4
