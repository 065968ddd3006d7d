"""A regressor of the difference between the target and an offset feature."""

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin


class ResidualRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict the last feature, the offset, plus a residual predicted from all features.

    The offset is in the unit of the target: the user's own mean of earlier days. The residual is
    distributed alike for all users, so a few dozen users suffice to learn it; a forest that must
    also learn each user's mean spends its leaves on that. Rows without an offset (NaN) use a model
    trained without history features.

    Parameters
    ----------
    residual : estimator
        Trained on the target minus the offset, on the rows that have an offset.
    without_history : estimator
        Trained on the target and on the features before the last `history_features`, on all rows.
    history_features : int
        Number of features that describe a user's history. They come last, and the offset is one
        of them.
    """

    def __init__(self, residual: Any, without_history: Any, history_features: int) -> None:
        self.residual = residual
        self.without_history = without_history
        self.history_features = history_features

    def fit(self, features: np.ndarray, target: np.ndarray) -> Self:
        """Train both regressors in place.

        Parameters
        ----------
        features : ndarray of shape (n, m)
        target : ndarray of shape (n,)
        """
        for regressor, columns, values, _ in self.training_data(features, np.asarray(target)):
            regressor.fit(columns, values)
        return self

    def training_data(
        self, features: np.ndarray, target: np.ndarray
    ) -> Iterator[tuple[Any, np.ndarray, np.ndarray, np.ndarray]]:
        """What each regressor is trained on.

        Parameters
        ----------
        features : ndarray of shape (n, m)
        target : ndarray of shape (n,)

        Yields
        ------
        estimator
        ndarray
            Its features.
        ndarray
            Its target.
        ndarray of bool, shape (n,)
            Which rows they are of.
        """
        offset = features[:, -1]
        known = ~np.isnan(offset)
        everything = np.ones(len(target), dtype=bool)
        yield self.without_history, features[:, : -self.history_features], target, everything
        # Among few users there may be no row with an offset; use the mean target as everyone's.
        if not known.any():
            features = np.column_stack([features[:, :-1], np.full(len(target), target.mean())])
            known, offset = everything, features[:, -1]
        yield self.residual, features[known], (target - offset)[known], known

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
            predicted[known] = offset[known] + self.residual.predict(features[known])
        if not known.all():
            predicted[~known] = self.without_history.predict(
                features[~known, : -self.history_features]
            )
        return predicted

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not {"residual", "without_history", "history_features"} <= state.keys():
            raise ValueError("a ResidualRegressor of another version; rematerialize its month")
        super().__setstate__(state)

    def __sklearn_is_fitted__(self) -> bool:
        parts = (self.residual, self.without_history)
        return all(hasattr(part, "n_features_in_") for part in parts)
