"""The model of a release that a command uses."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fitness_assets import months
from fitness_assets.errors import ReleaseError
from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.registry import BY_NAME, FORESTS, MODEL_NAMES
from fitness_assets.models.reports import ModelReport
from fitness_assets.release.bundle import Release
from fitness_assets.release.store import ReleaseStore

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class ReleasedForest:
    """A model that predicts a column, loaded from a release.

    Attributes
    ----------
    name : str
    model : Pipeline
    metrics : ClassifierMetrics or RegressorMetrics
    report : ModelReport
    release : Release
    month : str
        The month of the model: that of the release, or of its fallback.
    """

    name: str
    model: "Pipeline"
    metrics: ClassifierMetrics | RegressorMetrics
    report: ModelReport
    release: Release
    month: str

    @property
    def note(self) -> str | None:
        """A line that says so if the model is of an earlier month than the release."""
        if self.month == self.release.month:
            return None
        return f"the release of {self.release.month} has the {self.name} of {self.month}"

    def properties(self) -> dict[str, str]:
        """What identifies the model: its name, months and data versions, as metadata of ONNX."""
        return {
            "model": self.name,
            "release": self.release.month,
            "month": self.month,
            "data_versions": json.dumps(self.report.learned_from),
            "target": BY_NAME[self.name].target,
        }


def check_forest(name: str) -> None:
    """Raise ReleaseError unless `name` is a model that predicts a column."""
    forests = " and ".join(spec.name for spec in FORESTS)
    if name not in MODEL_NAMES:
        raise ReleaseError(f"there is no model {name!r}; those that predict days are {forests}")
    if BY_NAME[name].compared is None:
        raise ReleaseError(
            f"the {name} assigns users to segments, by their days of several months, and predicts "
            f"no row; the models that predict days are {forests}"
        )


def open_forest(
    store: ReleaseStore, name: str, month: str | None, people: ReleaseStore | None = None
) -> ReleasedForest:
    """Load the model `name` of the release of `month`, by default of the current one.

    A personal model is read from the private bundle of the release, or from the release itself if
    rows of people are public. It takes precedence over the model of an earlier cohort.

    Parameters
    ----------
    store : ReleaseStore
    name : str
    month : str or None
    people : ReleaseStore, optional
        The private bundles with rows of people.

    Raises
    ------
    ReleaseError
        If there is no such model or no release, or the release carries no such model.
    StorageError
        If there is no release of `month`, or its files cannot be read.
    """
    check_forest(name)
    release = store.open(_month(store, month))
    entry = release.report().models[name]
    if entry.report.scope == "personal" and (found := _personal(release, people, name)):
        return found
    carried, model = entry.carried, release.model(name)
    if carried is None or model is None:
        reason = entry.report.reason or "it has no such file"
        raise ReleaseError(f"the release of {release.month} has no {name}: {reason}")
    made = entry.fallback.month if entry.fallback and not entry.report.released else release.month
    metrics = carried.metrics
    if not isinstance(metrics, ClassifierMetrics | RegressorMetrics):
        raise ReleaseError(f"the release of {release.month} has no metrics of the {name}")
    return ReleasedForest(name, model, metrics, carried, release, made)


def _personal(release: Release, people: ReleaseStore | None, name: str) -> ReleasedForest | None:
    """The personal model of the month of `release`.

    Raises
    ------
    ReleaseError
        If it was not trained, or not released, and the release has no other.
    """
    part = release
    if release.personal() is None:
        if people is None or people.manifest(release.month) is None:
            return None
        part = people.open(release.month)
    reports = part.personal()
    report = reports.models.get(name) if reports else None
    if report is None or part.info.upstream != release.info.upstream:
        return None
    model = part.personal_model(name)
    if model is None or not isinstance(report.metrics, RegressorMetrics):
        if release.report().models[name].fallback:
            return None
        raise ReleaseError(f"the release of {release.month} has no {name}: {report.reason}")
    return ReleasedForest(name, model, report.metrics, report, release, release.month)


def _month(store: ReleaseStore, month: str | None) -> str:
    if month is not None:
        if not months.is_month(month):
            raise ReleaseError(f"--release {month!r} is not a month; write it as 2023-04")
        return month
    pointer = store.pointer()
    if pointer is None or pointer.month is None:
        raise ReleaseError(f"{store.root} holds no release yet; run `fitness backfill`")
    return pointer.month
