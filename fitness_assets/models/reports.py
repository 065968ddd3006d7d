"""What is measured of a model, as typed documents.

`ModelReport` is the ``metrics.json`` of one model and month, `BacktestReport` and
`CompressionReport` are those of the two assets that measure stored models. Scores are on held-out
users unless a field says otherwise.
"""

from typing import Literal

import msgspec

from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.forest_metrics import (
    ClassifierEvaluation,
    ClassifierMetrics,
    RegressorEvaluation,
    RegressorMetrics,
)
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.record.check_result import CheckResult

#: Scores of a forest on held-out users.
Evaluation = ClassifierEvaluation | RegressorEvaluation
#: Metrics of any model.
Metrics = SegmentMetrics | DayKindMetrics | ClassifierMetrics | RegressorMetrics
#: Whether a model is of a cohort, and applies to users that it was not trained on, or of the own
#: days of fewer than `datasets.FEWEST_USERS` users.
Scope = Literal["cohort", "personal"]


class ModelHeadline(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a model month says, so that its metrics need not be read.

    Attributes
    ----------
    learned, released : bool
    reason : str or None
        Why the month has no model.
    bytes, memory_bytes : int or None
    scores : dict of str to bool, int or float
        See `ModelReport.summary`.
    scope : Scope
    """

    learned: bool
    released: bool
    reason: str | None = None
    bytes: int | None = None
    memory_bytes: int | None = None
    scores: dict[str, bool | int | float] = {}
    scope: Scope = "cohort"


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """One model of one month.

    Attributes
    ----------
    window : list of str
        Months of the trailing window that the lake has.
    learned_from : dict of str to str
        Data version of `daily_activity` by month of the window.
    released : bool
        Whether the model passed its gates and is stored; in a release, also that of the release.
    reason : str or None
        Why it was not trained, or not released.
    bytes, memory_bytes : int or None
        Size of the model's file and of its arrays; None where none was trained.
    gates : list of CheckResult
    metrics : SegmentMetrics, DayKindMetrics, ClassifierMetrics, RegressorMetrics or None
        None where no model was trained.
    real_people : bool
        Whether it was trained on records of real people, and not of the synthetic cohort.
    scope : Scope
    one_user_in : int
        One in so many users of the window was read, the same in each month. One: all of them.
    """

    window: list[str]
    learned_from: dict[str, str]
    released: bool
    reason: str | None = None
    bytes: int | None = None
    memory_bytes: int | None = None
    gates: list[CheckResult]
    metrics: Metrics | None = None
    real_people: bool = True
    scope: Scope = "cohort"
    one_user_in: int = 1

    @property
    def learned(self) -> bool:
        """Whether a model was trained."""
        return self.metrics is not None

    def headline(self) -> ModelHeadline:
        """What the manifest says of it."""
        return ModelHeadline(
            learned=self.learned,
            released=self.released,
            reason=self.reason,
            bytes=self.bytes,
            memory_bytes=self.memory_bytes,
            scores=self.metrics.summary() if self.metrics else {},
            scope=self.scope,
        )


class BacktestHeadline(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a backtest says: scores by model, then by name."""

    model_month: str
    scores: dict[str, dict[str, float]]


class BacktestReport(msgspec.Struct, frozen=True, kw_only=True):
    """The models of the month before, scored on a month.

    Attributes
    ----------
    model_month : str
    evaluations : dict of str to ClassifierEvaluation or RegressorEvaluation
        By name of the model.
    not_scored : dict of str to str
        Why a model has no evaluation.
    """

    model_month: str
    evaluations: dict[str, Evaluation]
    not_scored: dict[str, str]

    def headline(self) -> BacktestHeadline:
        """What the manifest says of it."""
        scores = {name: found.summary() for name, found in self.evaluations.items()}
        return BacktestHeadline(model_month=self.model_month, scores=scores)


class CompressionStep(msgspec.Struct, frozen=True, kw_only=True):
    """One forest on the way from scikit-learn's default to the released model.

    Attributes
    ----------
    step : str
    trees, trees_measured : int
        A forest that may not fit in memory is fitted, measured and discarded tree by tree. If fewer
        trees are measured than it has, its size and times are scaled up, and its scores are those
        of the trees measured.
    nodes : int
    bytes : int
        On disk.
    memory_bytes : int
        Growth of a new process that loads it; for a forest measured tree by tree the size of the
        trees' arrays, since it is never whole.
    fit_seconds : float or None
        Of one core, to train it; None for a forest that was trained elsewhere.
    predict_seconds : float
        Of one core, to predict `compression.ROWS` rows at once.
    r2, rmse : float
        On held-out users, the latter in kcal.
    same_inputs : bool
        Whether it predicts from the inputs of the first step. The released model has more.
    """

    step: str
    trees: int
    trees_measured: int
    nodes: int
    bytes: int
    memory_bytes: int
    fit_seconds: float | None
    predict_seconds: float
    r2: float
    rmse: float
    same_inputs: bool = True


class CompressionHeadline(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a compression report says.

    The unbounded forest and the packed one have the same inputs, so their sizes and scores are
    compared. The released model has more inputs.
    """

    reason: str | None = None
    unbounded_bytes: int | None = None
    unbounded_r2: float | None = None
    packed_bytes: int | None = None
    packed_r2: float | None = None
    times_smaller: float | None = None
    released_bytes: int | None = None
    released_r2: float | None = None


class CompressionReport(msgspec.Struct, frozen=True, kw_only=True):
    """The steps from scikit-learn's default forest to the released one.

    Attributes
    ----------
    steps : list of CompressionStep
        Empty where the month has no model.
    reason : str or None
        Why there are no steps.
    """

    steps: list[CompressionStep]
    reason: str | None = None

    @property
    def compressed(self) -> list[CompressionStep]:
        """The steps with the same inputs, from scikit-learn's default forest to the packed one."""
        return [step for step in self.steps if step.same_inputs]

    @property
    def released(self) -> CompressionStep | None:
        """The released model, whose inputs are others."""
        return next((step for step in self.steps if not step.same_inputs), None)

    def headline(self) -> CompressionHeadline:
        """What the manifest says of it."""
        if not self.compressed:
            return CompressionHeadline(reason=self.reason)
        first, last, released = self.compressed[0], self.compressed[-1], self.released
        return CompressionHeadline(
            unbounded_bytes=first.bytes,
            unbounded_r2=first.r2,
            packed_bytes=last.bytes,
            packed_r2=last.r2,
            times_smaller=first.bytes / last.bytes,
            released_bytes=released.bytes if released else None,
            released_r2=released.r2 if released else None,
        )
