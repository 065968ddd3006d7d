"""Membership inference: whether the loss of a forest says whether it was trained on a user.

The attack of Yeom et al. (Privacy risk in machine learning, IEEE CSF 2018) guesses that a row with
a small loss was trained on. Its AUC over all thresholds is 0.5 if the losses of members and
non-members do not differ. Users are attacked as well, by the mean loss of their rows, and the
confidence of the classifier, for which the attacker needs no label.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich.table import Table
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.pipeline import Pipeline, make_pipeline

from bench.cohort_days import USERS, cohort_days
from fitness_assets.models.datasets import Split, split_by_user, validation_splits
from fitness_assets.models.disclosure import SMALLEST_CELL
from fitness_assets.models.forests.pipelines import packed
from fitness_assets.models.registry import FORESTS, ModelSpec, Trained
from fitness_assets.settings import Settings

_FIRST, _LAST = "2023-04", "2023-09"
_RESAMPLES = 200
_LEVEL = 0.95
_LEAST = 1e-9
# The control, which remembers its rows: unbounded trees, fewer than scikit-learn's default.
_CONTROL_TREES = 10


@dataclass(frozen=True)
class Attack:
    """The AUC of an attack, and its bootstrap interval by user."""

    auc: float
    low: float
    high: float


def attack(scores: NDArray[Any], members: NDArray[np.bool_], users: pd.Series) -> Attack:
    """How well greater scores distinguish rows of members from those of non-members.

    Parameters
    ----------
    scores : array of shape (n,)
        Greater is more like a member.
    members : array of bool, shape (n,)
        Whether the model was trained on the user of the row.
    users : Series of shape (n,)
        The interval is that of a bootstrap that draws members and non-members by user.
    """
    codes, names = pd.factorize(users)
    is_member = np.zeros(len(names), dtype=bool)
    is_member[codes] = members
    ranks = np.unique(scores, return_inverse=True)[1]

    def auc(times: NDArray[Any]) -> float:
        """The probability that a member's score is greater; equal ones count half."""
        weights = times[codes]
        of_members = np.bincount(ranks, weights * members)
        of_others = np.bincount(ranks, weights * ~members)
        below = np.cumsum(of_others) - of_others / 2
        return float((of_members * below).sum() / (of_members.sum() * of_others.sum()))

    generator = np.random.default_rng(0)
    drawn = []
    for _ in range(_RESAMPLES):
        times = np.zeros(len(names))
        for group in (np.flatnonzero(is_member), np.flatnonzero(~is_member)):
            times += np.bincount(generator.choice(group, len(group)), minlength=len(names))
        drawn.append(auc(times))
    outside = (1 - _LEVEL) / 2
    low, high = np.quantile(drawn, [outside, 1 - outside])
    return Attack(auc(np.ones(len(names))), float(low), float(high))


def attacks(
    model: Pipeline, target: str, rows: pd.DataFrame, members: NDArray[np.bool_]
) -> dict[str, Attack]:
    """The attacks on a model, by name.

    Parameters
    ----------
    model : Pipeline
    target : str
    rows : DataFrame
        Of users that it was trained on, and of held-out users.
    members : array of bool, shape (n,)
        Which rows are of the former.
    """
    features = rows.reindex(columns=list(model.feature_names_in_))
    truth = rows[target].to_numpy()
    scores = {}
    if hasattr(model, "classes_"):
        probabilities = model.predict_proba(features)
        hit = truth[:, None] == np.asarray(model.classes_)[None, :]
        scores["loss of a row"] = np.log(np.maximum((probabilities * hit).sum(axis=1), _LEAST))
        scores["confidence of a row"] = probabilities.max(axis=1)
    else:
        scores["loss of a row"] = -np.abs(truth - model.predict(features))
    found = {name: attack(each, members, rows["user_id"]) for name, each in scores.items()}
    table = pd.DataFrame({"user": rows["user_id"].to_numpy(), "member": members} | scores)
    by_user = table.groupby("user", as_index=False).mean()
    is_member = by_user["member"].to_numpy() > 0
    for name in scores:
        title = f"mean {name.removesuffix(' of a row')} of a user"
        found[title] = attack(by_user[name].to_numpy(), is_member, by_user["user"])
    return found


def privacy() -> Iterator[Table]:
    """What the released forests remember: a membership-inference attack, and the cost of merging.

    Members are the users that the model was trained on, non-members the held-out users of the same
    months. A first month has the fewest days a user, so that its model remembers most.
    """
    guesses = Table(
        f"{USERS:,} users",
        *("attack", "users trained on", "held-out users", "AUC", "95 % interval", "guessing"),
        "AUC / 0.5",
        title="membership inference",
    )
    cost = Table(
        f"one month of {USERS:,} users",
        *("seconds", "score", "nodes", "trees", "bytes", "nodes ratio"),
        title="leaves of several people",
    )
    days = cohort_days(_FIRST, _FIRST)
    for spec in FORESTS:
        merged, seconds = _trained(spec, days, SMALLEST_CELL)
        single, single_seconds = _trained(spec, days, 1)
        split, name = _members(spec, days), f"{spec.title}, one month"
        _add(guesses, name, merged.model, spec.target, split)
        _add(guesses, f"{name}, leaves of 1 person", single.model, spec.target, split)
        control = _control(merged.model, spec.target, split.train)
        _add(guesses, f"{name}, unbounded trees", control, spec.target, split)
        before = _nodes(single.model)
        for title, trained, took in (
            ("leaves of 1 person", single, single_seconds),
            (f"leaves of {SMALLEST_CELL} people", merged, seconds),
        ):
            nodes = _nodes(trained.model)
            cost.add_row(
                f"{spec.title}, {title}",
                f"{took:.1f}",
                f"{trained.metrics.summary()[spec.headline]:.4f} {spec.headline}",
                f"{nodes:,}",
                f"{sum(each.tree_count for each in packed(trained.model)):,}",
                f"{sum(len(each.to_bytes()) for each in packed(trained.model)):,}",
                f"{nodes / before:.3f}",
            )
    days = cohort_days(_FIRST, _LAST)
    for spec in FORESTS:
        trained, _ = _trained(spec, days, SMALLEST_CELL)
        split = _members(spec, days)
        _add(guesses, f"{spec.title}, six months", trained.model, spec.target, split)
    yield guesses
    yield cost


def _trained(spec: ModelSpec, days: pd.DataFrame, people: int) -> tuple[Trained, float]:
    """The model as its asset trains it, and the seconds that this takes."""
    budget = getattr(Settings.from_env({}), spec.budget)
    began = time.perf_counter()
    trained = spec.implementation().train_month(
        days, days["date"].max().replace(day=1), budget, people
    )
    return trained, time.perf_counter() - began


def _members(spec: ModelSpec, days: pd.DataFrame) -> Split:
    """Rows of users that the model was trained on, and of held-out users."""
    split = split_by_user(spec.forest().frame(days), [spec.target])
    folds = list(validation_splits(split.train))
    # With many users those of the validation split are not trained on.
    return Split(folds[0].train if len(folds) == 1 else split.train, split.test)


def _control(model: Pipeline, target: str, rows: pd.DataFrame) -> Pipeline:
    """Unbounded trees on the inputs of `model`."""
    kind = RandomForestClassifier if hasattr(model, "classes_") else RandomForestRegressor
    forest = kind(n_estimators=_CONTROL_TREES, n_jobs=-1, random_state=0)
    columns = [
        name for name in model.feature_names_in_ if pd.api.types.is_numeric_dtype(rows[name])
    ]
    numbers = rows[columns].astype(float)
    return make_pipeline(forest).fit(numbers, rows[target])


def _add(table: Table, name: str, model: Pipeline, target: str, split: Split) -> None:
    rows = pd.concat([split.train, split.test])
    members = np.repeat([True, False], [len(split.train), len(split.test)])
    counts = [f"{part['user_id'].nunique():,}" for part in (split.train, split.test)]
    for title, found in attacks(model, target, rows, members).items():
        interval = f"{found.low:.3f} to {found.high:.3f}"
        table.add_row(
            *(name, title, *counts, f"{found.auc:.3f}", interval, "0.5", f"{found.auc / 0.5:.3f}")
        )


def _nodes(model: Pipeline) -> int:
    return sum(forest.node_count for forest in packed(model))
