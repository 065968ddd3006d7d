"""A regressor that learns how far a person is from their usual, rather than the whole value."""

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, RegressorMixin


class ResidualRegressor(MetaEstimatorMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Predict the last feature plus what `regressor` makes of all of them.

    The last feature is in the unit of the target: a person's own past mean. What is left to learn
    is the same for everybody, so that a few dozen people teach it; a forest that must find the
    mean as well spends its leaves on telling them apart. Of who has no past, which is nan, the
    whole value is predicted by a regressor that has never been told of one.

    Parameters
    ----------
    regressor : estimator
        Trained on the target less the offset, on the rows that have one.
    without : estimator
        Trained on the target, and on the features before the last `past` ones.
    past : int
        Number of features, the offset among them, that tell of a past.
    """

    def __init__(self, regressor: Any, without: Any, past: int) -> None:
        self.regressor = regressor
        self.without = without
        self.past = past

    def fit(self, features: np.ndarray, target: np.ndarray) -> Self:
        """Train both regressors in place.

        Parameters
        ----------
        features : ndarray of shape (n, m)
        target : ndarray of shape (n,)
        """
        target, offset = np.asarray(target), features[:, -1]
        self.without.fit(features[:, : -self.past], target)
        known = ~np.isnan(offset)
        if not known.any():  # among some of few people; the mean of all is then everybody's
            features = np.column_stack([features[:, :-1], np.full(len(target), target.mean())])
            known, offset = ~known, features[:, -1]
        self.regressor.fit(features[known], (target - offset)[known])
        return self

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The offset of each row plus the deviation predicted for it, of shape (n,).

        Where there is no offset, what is predicted without it.
        """
        offset = features[:, -1]
        known = ~np.isnan(offset)
        predicted = np.empty(len(features))
        if known.any():
            predicted[known] = offset[known] + self.regressor.predict(features[known])
        if not known.all():
            predicted[~known] = self.without.predict(features[~known, : -self.past])
        return predicted

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not {"regressor", "without", "past"} <= state.keys():
            raise ValueError("an OffsetRegressor of another version; make its month again")
        super().__setstate__(state)

    def __sklearn_is_fitted__(self) -> bool:
        return all(hasattr(part, "n_features_in_") for part in (self.regressor, self.without))
