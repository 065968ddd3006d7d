"""The metrics of a forest, as typed documents. Scores are on held-out users."""

import msgspec


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
    """Recall on the rows of one slice, of so many users.

    `public` is whether a release that does not publish rows of people may have it: see `slices`.
    """

    slice: str
    rows: int
    users: int = 0
    public: bool = False
    recall: float


class RegressionSlice(msgspec.Struct, frozen=True, kw_only=True):
    """Scores on the rows of one slice, of so many users; `coverage` is that of the interval.

    `public` is whether a release that does not publish rows of people may have it: see `slices`.
    """

    slice: str
    rows: int
    users: int = 0
    public: bool = False
    r2: float
    mae: float
    rmse: float
    coverage: float


class ScoreInterval(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds within which a score lies in 95 of 100 bootstrap resamples of the users."""

    low: float
    high: float


class ClassifierEvaluation(msgspec.Struct, frozen=True, kw_only=True, tag="classifier"):
    """Scores of a classifier on held-out users, compared with a constant baseline.

    Attributes
    ----------
    rows, users : int
        Held out, or cross-validated.
    repeats : int
        Cross-validations by user that the scores are from, for few users; 0 for held-out users.
    scores : ClassificationScores
    baseline : ClassificationScores
        Of the class shares of the training rows, given to every row.
    intervals : dict of str to ScoreInterval
        Of ``accuracy``, ``macro_f1`` and ``log_loss``, and of what the model gains over the
        baseline: ``accuracy_gain`` and ``log_loss_gain``, positive if the model is better.
    labels : list of str
    confusion : list of list of int
        Rows by true label, then by predicted label, both in the order of `labels`.
    confusion_users : list of list of int
        Number of users of these rows; empty in a release.
    slices : dict of str to list of ClassificationSlice
        By kind (see `slices.TITLES`), the largest first.
    """

    rows: int
    users: int
    repeats: int
    scores: ClassificationScores
    baseline: ClassificationScores
    intervals: dict[str, ScoreInterval]
    labels: list[str]
    confusion: list[list[int]]
    confusion_users: list[list[int]] = []
    slices: dict[str, list[ClassificationSlice]]

    def summary(self) -> dict[str, float]:
        """The scores and those of the baseline by name, the latter as ``baseline_`` and name."""
        return _summary(self.scores, self.baseline)


class RegressorEvaluation(msgspec.Struct, frozen=True, kw_only=True, tag="regressor"):
    """Scores of a regressor on held-out users, compared with a constant baseline.

    Attributes
    ----------
    rows, users : int
        Held out, or cross-validated.
    repeats : int
        Cross-validations by user that the scores are from, for few users; 0 for held-out users.
    scores : RegressionScores
    baseline : RegressionScores
        Of the mean of the training rows, predicted for every row.
    coverage, baseline_coverage : float
        Share of the rows within their interval.
    interval_width : float
        Mean width in kcal.
    intervals : dict of str to ScoreInterval
        Of ``r2`` and ``rmse``, and of what the model gains over the baseline: ``r2_gain`` and
        ``rmse_gain``, positive if the model is better.
    slices : dict of str to list of RegressionSlice
        By kind (see `slices.TITLES`), the largest first.
    """

    rows: int
    users: int
    repeats: int
    scores: RegressionScores
    baseline: RegressionScores
    coverage: float
    baseline_coverage: float
    interval_width: float
    intervals: dict[str, ScoreInterval]
    slices: dict[str, list[RegressionSlice]]

    def summary(self) -> dict[str, float]:
        """The scores and those of the baseline by name, the latter as ``baseline_`` and name."""
        return _summary(self.scores, self.baseline) | {
            "coverage": self.coverage,
            "baseline_coverage": self.baseline_coverage,
            "interval_width": self.interval_width,
        }


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate of model selection, scored on the validation split.

    Attributes
    ----------
    groups : list of str
        Feature groups that it uses.
    trees, depth : int
    leaf, weight : float
        Hyperparameters. See `candidates.Hyperparameters`. No trees: the linear model alone.
    rows : int
        Rows that each of its trees was grown from.
    bytes : int
        Size of its packed forests.
    score : float
        Greater is better.
    selected : bool
    penalty : float
        Of a personal linear model; 0 elsewhere, where it is the same for all candidates.
    """

    groups: list[str]
    trees: int
    depth: int
    leaf: float
    weight: float
    rows: int
    bytes: int
    score: float
    selected: bool
    penalty: float = 0.0


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
    """Mean confidence and accuracy of the rows, of so many users, in one bin of confidence."""

    rows: int
    users: int = 0
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
    users, residual_users : list
        Number of users of the rows of each cell; empty in a release.
    """

    edges: list[float]
    counts: list[list[int]]
    residual_edges: list[float]
    residual_counts: list[int]
    users: list[list[int]] = []
    residual_users: list[int] = []


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


class PersonalScores(msgspec.Struct, frozen=True, kw_only=True):
    """How a personal regressor was judged: on later months of the users that it is trained on.

    Attributes
    ----------
    months : list of str
        The judged months, each predicted by a model of the months before it.
    last_week : RegressionScores
        Of the mean of the seven days before each day. The other baseline, that of the
        `RegressorEvaluation`, is the user's mean of all earlier days.
    """

    months: list[str]
    last_week: RegressionScores


class RegressorMetrics(msgspec.Struct, frozen=True, kw_only=True, tag="regressor"):
    """Metrics of the calorie regressor of a month.

    Attributes
    ----------
    train_rows, train_users : int
    evaluation : RegressorEvaluation
    inputs : Inputs
    constant : ConstantBaseline
    linear : RegressionScores
        Of the linear part of the model, which has the same inputs.
    line_alone : bool
        Whether a forest adds nothing, so that the model is its linear part.
    interval : Interval
    cold_start : ColdStart or None
        None for a model without history features.
    trials : list of Trial
    importances : dict of str to float
        Permutation importance by feature. See `evaluation.importances`.
    agreement : Agreement
    personal : PersonalScores or None
        None for the model of a cohort. Of a personal model the evaluation is on later days of the
        same users, its baseline is the user's own mean of earlier days, and its intervals are from
        a bootstrap of weeks; ``week_r2_gain`` and ``week_rmse_gain`` are over the mean of the seven
        days before.
    """

    train_rows: int
    train_users: int
    evaluation: RegressorEvaluation
    inputs: Inputs
    constant: ConstantBaseline
    linear: RegressionScores
    line_alone: bool
    interval: Interval
    cold_start: ColdStart | None
    trials: list[Trial]
    importances: dict[str, float]
    agreement: Agreement
    personal: PersonalScores | None = None

    def summary(self) -> dict[str, bool | int | float]:
        """Counts and scores by name."""
        return _forest_summary(self)


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
        "repeats": evaluation.repeats,
        **evaluation.summary(),
        **{
            f"{name}_{bound}": getattr(interval, bound)
            for name, interval in evaluation.intervals.items()
            for bound in ("low", "high")
        },
    }
