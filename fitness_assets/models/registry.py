"""The models, one `ModelSpec` each, from which assets, gates, backtest and loader are derived.

No scikit-learn here: the module that implements a model is imported when it is needed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, Any, Protocol, cast

from fitness_assets.models.forest_metrics import ClassifierMetrics, RegressorMetrics
from fitness_assets.models.reports import Evaluation, Metrics
from fitness_assets.models.segment_metrics import SegmentMetrics

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Trained:
    """A trained pipeline, its metrics, and the tables that are stored with it, by name.

    Kinds of days have no pipeline: nothing is predicted with them.
    """

    model: "Pipeline | None"
    metrics: Metrics
    tables: "dict[str, pd.DataFrame]" = field(default_factory=dict)


#: Reads the days of a window, some users at a time.
Everyone = Callable[[], "Iterator[pd.DataFrame]"]


class Implementation(Protocol):
    """What the module of a model provides."""

    #: Columns of `daily_activity` that training reads.
    COLUMNS: Sequence[str]

    def train_month(
        self,
        days: "pd.DataFrame",
        month: "pd.Timestamp",
        budget: int,
        people: int,
        everyone: "Everyone | None",
        /,
    ) -> Trained:
        """Train and evaluate the model of a month.

        Parameters
        ----------
        days : DataFrame
            `COLUMNS` of the trailing window, which ends with `month`, of all users or of a sample
            of them; for a forest also the ``segment`` of each day's user.
        month : Timestamp
            Its first day.
        budget : int
            Bytes that the model may take on disk.
        people : int
            Smallest number of users that a part of the model, such as a leaf, rests on.
        everyone : callable or None
            If `days` are a sample, the same of all users, some users at a time.

        Raises
        ------
        NotLearnedError
            If the days do not suffice to train it.
        """
        ...


class PersonalImplementation(Protocol):
    """What a module provides that takes the place of an `Implementation` for few users."""

    def applies(self, days: "pd.DataFrame", /) -> bool:
        """Whether the days are of too few users for the model of a cohort."""
        ...

    def train_month(self, days: "pd.DataFrame", /) -> Trained:
        """Train and evaluate the personal model of a month.

        Parameters
        ----------
        days : DataFrame
            `Implementation.COLUMNS` of the whole months of the trailing window.

        Raises
        ------
        NotLearnedError
            If the days do not suffice to train it.
        """
        ...


class Forest(Implementation, Protocol):
    """What the module of a supervised model provides."""

    #: The column that the model predicts: `ModelSpec.target`.
    TARGET: str
    #: Features in groups, from the most often available to the least.
    GROUPS: Mapping[str, Sequence[str]]

    def frame(self, days: "pd.DataFrame", /) -> "pd.DataFrame":
        """The rows that features are taken from."""
        ...

    def evaluate(
        self, model: "Pipeline", metrics: Any, test: "pd.DataFrame", people: int, /
    ) -> Evaluation:
        """Scores of `model`, which has these metrics, on rows of `frame` of held-out users."""
        ...


@dataclass(frozen=True)
class Comparison:
    """The score that a gate compares with that of the month before.

    Attributes
    ----------
    score : str
        Its name in `ModelHeadline.scores`.
    title : str
    tolerance : float
        How much it may fall, in addition to what the number of users leaves uncertain.
    gains : tuple of str
        The scores in which the model must beat the constant baseline.
    baseline : str
        What the constant baseline does, in words.
    """

    score: str
    title: str
    tolerance: float
    gains: tuple[str, ...]
    baseline: str


@dataclass(frozen=True)
class ModelSpec:
    """One model.

    Attributes
    ----------
    name : str
        Of its asset, and of its folder in a home.
    title : str
    kind : str
        Its Dagster kind.
    description : str
        Of its asset.
    module : str
        The module that implements it: an `Implementation`, or a `Forest` where `compared` is set.
    metrics : type
        Of the metrics in its `ModelReport`.
    headline : str
        The score of `ModelHeadline.scores` that ``fitness status`` shows.
    budget : str
        The field of the settings with the bytes that it may take on disk.
    target : str
        The column that it predicts; empty if it predicts none.
    dependencies : tuple of str
        Other models of the same month that it is evaluated with.
    compared : Comparison or None
        None for a model that predicts nothing, and so is neither compared with a baseline and with
        the month before, nor backtested.
    personal : str
        The `PersonalImplementation` for few users; empty if such a month has no model.
    """

    name: str
    title: str
    kind: str
    description: str
    module: str
    metrics: type[Metrics]
    headline: str
    budget: str
    target: str = ""
    dependencies: tuple[str, ...] = ()
    compared: Comparison | None = None
    personal: str = ""

    def implementation(self) -> Implementation:
        """The module of the model."""
        return cast("Implementation", import_module(self.module))

    def personal_implementation(self) -> PersonalImplementation | None:
        """The module of the model for few users, if there is one."""
        if not self.personal:
            return None
        return cast("PersonalImplementation", import_module(self.personal))

    def forest(self) -> Forest:
        """The module of a model that has `compared`."""
        return cast("Forest", import_module(self.module))


#: In the order in which a dashboard loads them: the largest last, after the memory that reading the
#: others took has been returned.
MODELS = (
    ModelSpec(
        name="segment_model",
        title="User segments",
        kind="kmeans",
        description=cleandoc(
            """
            K-Means on the profiles of users over the window, and the segment of each user of
            the month.

            Stability is measured between resamples of the users, between odd and even days, and
            between months. Segments that are not stable are not named and get no advice.

            With fewer than 10 users: the kinds of days of each user, by the same tests.
            """
        ),
        module="fitness_assets.models.segments.segmentation",
        metrics=SegmentMetrics,
        headline="stability",
        budget="segments_bytes",
        personal="fitness_assets.models.personal.day_kinds",
    ),
    ModelSpec(
        name="activity_classifier",
        title="Activity classifier",
        kind="randomforest",
        description=cleandoc(
            """
            Random forest with calibrated probabilities: predicts the activity of a day from its
            readings and the user's history.

            Evaluated on held-out users, or by cross-validation with fewer than 100 users;
            compared with a constant baseline that predicts the class shares of the training
            days. The smallest forest that scores about as well as
            the best is selected and packed. A model that fails a gate is not released.
            """
        ),
        module="fitness_assets.models.forests.activity",
        metrics=ClassifierMetrics,
        headline="macro_f1",
        budget="classifier_bytes",
        target="activity_type",
        dependencies=("segment_model",),
        compared=Comparison(
            "macro_f1",
            "macro F1",
            0.05,
            ("accuracy", "log_loss"),
            "always guessing the same activity",
        ),
    ),
    ModelSpec(
        name="calorie_regressor",
        title="Calorie regressor",
        kind="randomforest",
        description=cleandoc(
            """
            Linear model and a random forest of its residuals: predicts the kcal of a day, with an
            interval, from the day, the device, the person and their history.

            Evaluated on held-out users, or by cross-validation with fewer than 100 users;
            compared with the mean of the training days and with the linear model alone. The
            smallest forest that scores about as well as the best is selected
            and packed. A model that fails a gate is not released.

            With fewer than 10 users with kcal: a linear model of their own days, trained on earlier
            months, and compared on later ones with the own mean and with the mean of the week
            before.
            """
        ),
        module="fitness_assets.models.forests.calories",
        metrics=RegressorMetrics,
        headline="r2",
        budget="regressor_bytes",
        target="calories_burned",
        dependencies=("segment_model",),
        compared=Comparison(
            "r2", "R²", 0.05, ("r2", "rmse"), "always estimating the mean of all users"
        ),
        personal="fitness_assets.models.personal.energy",
    ),
)

#: Their names.
MODEL_NAMES = tuple(spec.name for spec in MODELS)
#: The models by name.
BY_NAME = {spec.name: spec for spec in MODELS}
#: The models that predict, and so can be scored on a later month.
FORESTS = tuple(spec for spec in MODELS if spec.compared)
