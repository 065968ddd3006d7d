"""What is measured of a model, as typed documents.

`ModelReport` is the ``metrics.json`` of one model and month, `BacktestReport` and
`CompressionReport` are those of the two assets that measure stored models. Scores are on held-out
users unless a field says otherwise.
"""

import msgspec

from fitness_assets.record.check_result import CheckResult


class ClassificationScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of a classifier. See `evaluation.classification`."""

    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    log_loss: float
    calibration_error: float


class RegressionScores(msgspec.Struct, frozen=True, kw_only=True):
    """Scores of a regressor; ``mae`` and ``rmse`` are in kcal."""

    r2: float
    mae: float
    rmse: float


class ClassificationSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Recall on the rows of one activity or one segment."""

    slice: str
    rows: int
    recall: float


class RegressionSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Scores on the rows of one activity or one segment."""

    slice: str
    rows: int
    r2: float
    mae: float
    rmse: float


class ClassifierEvaluation(msgspec.Struct, frozen=True, kw_only=True, tag="classifier"):
    """Scores of a classifier on held-out users, compared with a constant baseline.

    Attributes
    ----------
    rows, users : int
        Held out.
    scores : ClassificationScores
    baseline : ClassificationScores
        Of the class shares of the training rows, given to every row.
    gain, gain_low : float
        Share of the baseline's Brier loss that the model saves, and its lower bootstrap bound.
    labels : list of str
    confusion : list of list of int
        Rows by true label, then by predicted label, both in the order of `labels`.
    by_activity, by_segment : list of ClassificationSlice
        Largest first.
    """

    rows: int
    users: int
    scores: ClassificationScores
    baseline: ClassificationScores
    gain: float
    gain_low: float
    labels: list[str]
    confusion: list[list[int]]
    by_activity: list[ClassificationSlice]
    by_segment: list[ClassificationSlice]

    def summary(self) -> dict[str, float]:
        """The scores and those of the baseline by name, the latter as ``baseline_`` and name."""
        return _summary(self.scores, self.baseline)


class RegressorEvaluation(msgspec.Struct, frozen=True, kw_only=True, tag="regressor"):
    """Scores of a regressor on held-out users, compared with a constant baseline.

    Attributes
    ----------
    rows, users : int
        Held out.
    scores : RegressionScores
    baseline : RegressionScores
        Of the mean of the training rows, predicted for every row.
    coverage, baseline_coverage : float
        Share of the rows within their interval.
    interval_width : float
        Mean width in kcal.
    gain, gain_low : float
        Share of the baseline's squared error that the model saves, and its lower bootstrap bound.
    by_activity, by_segment : list of RegressionSlice
        Largest first.
    """

    rows: int
    users: int
    scores: RegressionScores
    baseline: RegressionScores
    coverage: float
    baseline_coverage: float
    interval_width: float
    gain: float
    gain_low: float
    by_activity: list[RegressionSlice]
    by_segment: list[RegressionSlice]

    def summary(self) -> dict[str, float]:
        """The scores and those of the baseline by name, the latter as ``baseline_`` and name."""
        return _summary(self.scores, self.baseline) | {
            "coverage": self.coverage,
            "baseline_coverage": self.baseline_coverage,
            "interval_width": self.interval_width,
        }


Evaluation = ClassifierEvaluation | RegressorEvaluation


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate of model selection, scored on the validation split.

    Attributes
    ----------
    groups : list of str
        Feature groups that it uses.
    trees, depth : int
    leaf : float
        Hyperparameters. See `model_selection.Hyperparameters`.
    bytes : int
        Size of its packed forests.
    score : float
        Greater is better.
    selected : bool
    """

    groups: list[str]
    trees: int
    depth: int
    leaf: float
    bytes: int
    score: float
    selected: bool


class FeatureRange(msgspec.Struct, frozen=True, kw_only=True):
    """Values of a numeric feature in the training rows."""

    minimum: float
    median: float
    maximum: float


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The features of a model and the values that it has been trained on.

    Attributes
    ----------
    features : list of str
        In the order of the model's columns.
    categories : dict of str to list of str
        Known values of each categorical feature.
    ranges : dict of str to FeatureRange
        By numeric feature.
    """

    features: list[str]
    categories: dict[str, list[str]]
    ranges: dict[str, FeatureRange]


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Mean confidence and accuracy of the rows whose confidence lies in one bin."""

    rows: int
    confidence: float
    accuracy: float


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of rows by truth and prediction, and by residual. The outermost bins are open.

    Attributes
    ----------
    edges : list of float
        Of the bins of truth and of prediction.
    counts : list of list of int
        By bin of truth, then of prediction.
    residual_edges : list of float
    residual_counts : list of int
        Residuals are truth less prediction.
    """

    edges: list[float]
    counts: list[list[int]]
    residual_edges: list[float]
    residual_counts: list[int]


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A calibrated prediction interval. See `evaluation.calibrate`.

    Attributes
    ----------
    edges : list of float
        Between the ranges of the prediction.
    low, high : list of float
        What to add to a prediction in each range.
    """

    edges: list[float]
    low: list[float]
    high: list[float]


class ConstantBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """The mean of the training rows, and the quantiles that hold `evaluation.COVERAGE` of them."""

    mean: float
    low: float
    high: float


class ColdStart(msgspec.Struct, frozen=True, kw_only=True):
    """The regressor on held-out rows whose history features are masked, and its interval there."""

    scores: RegressionScores
    interval: Interval


class ClassifierMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="classifier"):
    """Metrics of the activity classifier of a month.

    Attributes
    ----------
    train_rows, train_users : int
    evaluation : ClassifierEvaluation
    inputs : Inputs
    class_shares : dict of str to float
        Share of the training rows of each class: the constant baseline.
    majority_class : str
        The class that the baseline predicts.
    trials : list of Trial
    importances : dict of str to float
        Permutation importance by feature. See `evaluation.importances`.
    reliability : list of ReliabilityBin
    """

    train_rows: int
    train_users: int
    evaluation: ClassifierEvaluation
    inputs: Inputs
    class_shares: dict[str, float]
    majority_class: str
    trials: list[Trial]
    importances: dict[str, float]
    reliability: list[ReliabilityBin]

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name."""
        return _forest_summary(self)


class RegressorMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="regressor"):
    """Metrics of the calorie regressor of a month.

    Attributes
    ----------
    train_rows, train_users : int
    evaluation : RegressorEvaluation
    inputs : Inputs
    constant : ConstantBaseline
    linear : RegressionScores
        Of a linear model of the same features.
    interval : Interval
    cold_start : ColdStart or None
        None for a model without history features.
    trials : list of Trial
    importances : dict of str to float
        Permutation importance by feature. See `evaluation.importances`.
    agreement : Agreement
    """

    train_rows: int
    train_users: int
    evaluation: RegressorEvaluation
    inputs: Inputs
    constant: ConstantBaseline
    linear: RegressionScores
    interval: Interval
    cold_start: ColdStart | None
    trials: list[Trial]
    importances: dict[str, float]
    agreement: Agreement

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name."""
        return _forest_summary(self)


class SegmentCandidate(msgspec.Struct, frozen=True, kw_only=True):
    """What was found for one number of segments. See `segments.stability.examine`.

    Attributes
    ----------
    k : int
        The number of segments.
    stability : float
        The least of the three indices below.
    bootstrap, odd_even, months : float or None
        Adjusted Rand indices; None where they cannot be computed.
    kept : float or None
        Share of users that keep their segment from month to month.
    gap, gap_error : float
        Gap statistic and its standard error.
    silhouette : float or None
    smallest : int
        Training users in the smallest segment.
    """

    k: int
    stability: float
    bootstrap: float
    odd_even: float | None
    months: float | None
    kept: float | None
    gap: float
    gap_error: float
    silhouette: float | None
    smallest: int


class HabitChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one habit, in units of `unit`."""

    habit: str
    change: int
    unit: str


class HabitAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """The changes that take most users of a segment to a better one.

    Attributes
    ----------
    towards : int
        The better segment.
    better_in : list of str
        Measures in which it is better.
    moved : float
        Share of the users that the model then assigns to a better segment.
    habits : list of HabitChange
    """

    towards: int
    better_in: list[str]
    moved: float
    habits: list[HabitChange]


class SegmentProfile(msgspec.Struct, frozen=True, kw_only=True):
    """One segment.

    Attributes
    ----------
    segment : int
    name : str
        Unique within the month.
    users : int
    profile : dict of str to float or None
        Mean of each measure.
    distance : dict of str to float
        Standard deviations from the mean of all users, by measure of the model.
    advice : HabitAdvice or None
    """

    segment: int
    name: str
    users: int
    profile: dict[str, float | None]
    distance: dict[str, float]
    advice: HabitAdvice | None


class SegmentMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="segments"):
    """Metrics of the user segments of a month.

    Attributes
    ----------
    users : int
        Users of the month that have a segment.
    train_users, heldout_users, judged_users : int
        Users that the model is trained on, that are held out, and on whom partitions are compared.
    features : list of str
        Measures of the profile that the model uses.
    k, stability, silhouette, gap
        Of the candidate that was selected.
    stable : bool
        Whether its indices reach the threshold and its smallest segment is large enough.
    distinct : bool
        Whether the gap statistic shows gaps between the segments.
    candidates : list of SegmentCandidate
    profiles : list of SegmentProfile
        Empty unless stable.
    """

    users: int
    train_users: int
    heldout_users: int
    judged_users: int
    features: list[str]
    k: int
    stability: float
    stable: bool
    silhouette: float | None
    gap: float
    distinct: bool
    candidates: list[SegmentCandidate]
    profiles: list[SegmentProfile]

    @property
    def selected(self) -> SegmentCandidate:
        """The candidate with `k` segments."""
        return next(candidate for candidate in self.candidates if candidate.k == self.k)

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name."""
        known = {} if self.silhouette is None else {"silhouette": self.silhouette}
        return {
            "users": self.users,
            "train_users": self.train_users,
            "heldout_users": self.heldout_users,
            "judged_users": self.judged_users,
            "k": self.k,
            "stability": self.stability,
            "stable": self.stable,
            "gap": self.gap,
            "distinct": self.distinct,
            **known,
        }


Metrics = SegmentMetrics | ClassifierMetrics | RegressorMetrics


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
    """

    learned: bool
    released: bool
    reason: str | None = None
    bytes: int | None = None
    memory_bytes: int | None = None
    scores: dict[str, bool | int | float] = {}


class ModelReport(msgspec.Struct, frozen=True, kw_only=True):
    """One model of one month.

    Attributes
    ----------
    window : list of str
        Months of the trailing window that the lake has.
    learned_from : dict of str to str
        Data version of `daily_activity` by month of the window.
    released : bool
        Whether the model passed every gate and is stored.
    reason : str or None
        Why it was not trained, or not released.
    bytes, memory_bytes : int or None
        Size of the model's file and of its arrays; None where none was trained.
    gates : list of CheckResult
    metrics : SegmentMetrics, ClassifierMetrics, RegressorMetrics or None
        None where no model was trained.
    """

    window: list[str]
    learned_from: dict[str, str]
    released: bool
    reason: str | None = None
    bytes: int | None = None
    memory_bytes: int | None = None
    gates: list[CheckResult]
    metrics: Metrics | None = None

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


class CompressionHeadline(msgspec.Struct, frozen=True, kw_only=True):
    """What the manifest of a compression report says: the last step compared with the first."""

    reason: str | None = None
    bytes: int | None = None
    r2: float | None = None
    unbounded_bytes: int | None = None
    unbounded_r2: float | None = None
    times_smaller: float | None = None


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

    def headline(self) -> CompressionHeadline:
        """What the manifest says of it."""
        if not self.steps:
            return CompressionHeadline(reason=self.reason)
        first, last = self.steps[0], self.steps[-1]
        return CompressionHeadline(
            bytes=last.bytes,
            r2=last.r2,
            unbounded_bytes=first.bytes,
            unbounded_r2=first.r2,
            times_smaller=first.bytes / last.bytes,
        )


def _summary(scores: msgspec.Struct, baseline: msgspec.Struct) -> dict[str, float]:
    plain = msgspec.structs.asdict
    return {
        **plain(scores),
        **{f"baseline_{name}": value for name, value in plain(baseline).items()},
    }


def _forest_summary(metrics: ClassifierMetrics | RegressorMetrics) -> dict[str, bool | int | float]:
    evaluation = metrics.evaluation
    return {
        "train_rows": metrics.train_rows,
        "train_users": metrics.train_users,
        "heldout_rows": evaluation.rows,
        "heldout_users": evaluation.users,
        **evaluation.summary(),
        "gain": evaluation.gain,
        "gain_low": evaluation.gain_low,
    }
