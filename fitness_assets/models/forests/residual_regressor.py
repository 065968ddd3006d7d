"""Regressors that add a forest to a linear model, with an offset for users with history.

They consist of trained parts, and so predict but are not fitted.
"""

from typing import Any, NoReturn

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

_ANOTHER_VERSION = "a {} of another version; rematerialize its month"


class _OfTrainedParts(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, *_: object) -> NoReturn:
        """Raise TypeError: it consists of trained parts."""
        raise TypeError(f"{type(self).__name__} cannot be fitted; it consists of trained parts")

    def __sklearn_is_fitted__(self) -> bool:
        return True


class LinearForest(_OfTrainedParts):
    """Predict the sum of a linear model and of a forest that was trained on its residuals.

    The linear model takes what is nearly a sum, and extrapolates; the forest adds interactions.

    Parameters
    ----------
    line : estimator
        A trained `Ridge`.
    forest : PackedRegressor or None
        None where a forest adds nothing to the linear model.
    """

    def __init__(self, line: Any, forest: Any) -> None:
        self.line = line
        self.forest = forest

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        features : ndarray of shape (n, m)

        Returns
        -------
        ndarray of shape (n,)
        """
        predicted: np.ndarray = self.line.predict(features)
        return predicted if self.forest is None else predicted + self.forest.predict(features)

    def linear_part(self) -> "LinearForest":
        """Return the regressor without its forest."""
        return LinearForest(self.line, None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not {"line", "forest"} <= state.keys():
            raise ValueError(_ANOTHER_VERSION.format("LinearForest"))
        super().__setstate__(state)


class ResidualRegressor(_OfTrainedParts):
    """Predict the last feature, the offset, plus a residual predicted from the other features.

    The offset is in the unit of the target: the user's own mean of earlier days. The residual is
    distributed alike for all users, so a few dozen users suffice to learn it; a model that must
    also learn each user's mean spends its capacity on that. Rows without an offset (NaN) use a
    model trained without history features.

    Parameters
    ----------
    residual : LinearForest
        Trained on the target minus the offset, on the rows that have an offset.
    without_history : LinearForest
        Trained on the target and on the features before the history features, on all rows.
    history_features : int
        Number of features that describe a user's history. They come last, before the offset.
    """

    def __init__(self, residual: Any, without_history: Any, history_features: int) -> None:
        self.residual = residual
        self.without_history = without_history
        self.history_features = history_features

    def predict(self, features: np.ndarray) -> np.ndarray:
        """Predict the target.

        Parameters
        ----------
        features : ndarray of shape (n, m)

        Returns
        -------
        ndarray of shape (n,)
        """
        offset = features[:, -1]
        known = ~np.isnan(offset)
        predicted = np.empty(len(features))
        if known.any():
            predicted[known] = offset[known] + self.residual.predict(features[known, :-1])
        if not known.all():
            predicted[~known] = self.predict_without_history(features[~known])
        return predicted

    def linear_part(self) -> "ResidualRegressor":
        """Return the regressor without its forests."""
        return ResidualRegressor(
            self.residual.linear_part(), self.without_history.linear_part(), self.history_features
        )

    def predict_without_history(self, features: np.ndarray) -> np.ndarray:
        """Predict the target as if the history were unknown. Parameters as of `predict`."""
        predicted: np.ndarray = self.without_history.predict(
            features[:, : -self.history_features - 1]
        )
        return predicted

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not {"residual", "without_history", "history_features"} <= state.keys():
            raise ValueError(_ANOTHER_VERSION.format("ResidualRegressor"))
        super().__setstate__(state)
