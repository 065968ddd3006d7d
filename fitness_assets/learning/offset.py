"""A regressor that learns how far a person is from their usual, rather than the whole value."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin


class OffsetRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict the last feature plus what `regressor` makes of all of them.

    The last feature is in the unit of the target: a person's own past mean. What is left to learn
    is the same for everybody, so that a few dozen people teach it; a forest that must find the
    mean as well spends its leaves on telling them apart.

    Parameters
    ----------
    regressor : estimator
        Trained on the target less the offset.
    """

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, features: np.ndarray, target: np.ndarray) -> Self:
        """Train `regressor` in place.

        Parameters
        ----------
        features : ndarray of shape (n, m)
        target : ndarray of shape (n,)
        """
        self.regressor.fit(features, np.asarray(target) - features[:, -1])
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The offset of each row plus the deviation predicted for it, of shape (n,)."""
        predicted: np.ndarray = features[:, -1] + self.regressor.predict(features)
        return predicted

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self.regressor, "n_features_in_")
