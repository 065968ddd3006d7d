"""A packed forest of a classifier whose probabilities are smoothed and calibrated."""

from typing import Any, NoReturn, Self

import numpy as np
from scipy.optimize import minimize_scalar
from sklearn.base import BaseEstimator, ClassifierMixin

# Share of the class frequencies in each leaf's probabilities, so that none is 0.
_SMOOTHING = 0.01
# Rows that speak against a calibration, so that few rows change little.
_PENALTY = 5.0
# Points of a Gauss-Legendre quadrature.
_POINTS = 64
# Rows that a calibration is fitted to; more change nothing.
_MAX_ROWS = 20_000


class CalibratedClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predict calibrated probabilities; consists of trained parts.

    The probabilities of each leaf are mixed with the class frequencies. The logarithms of their
    means over the trees are scaled (temperature scaling; Guo et al., ICML 2017), less those of the
    class weights, and normalized.

    Parameters
    ----------
    forest : PackedClassifier
    frequencies : ndarray of shape (classes,)
        Class frequencies of the rows that the forest was trained on, weighted as there.
    scale : ndarray of shape (1,)
    shift : ndarray of shape (classes,)
    """

    def __init__(
        self, forest: Any, frequencies: np.ndarray, scale: np.ndarray, shift: np.ndarray
    ) -> None:
        self.forest = forest
        self.frequencies = frequencies
        self.scale = scale
        self.shift = shift

    @property
    def classes_(self) -> np.ndarray:
        """The classes, sorted."""
        classes: np.ndarray = self.forest.classes_
        return classes

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, none of them 0.

        Parameters
        ----------
        features : ndarray of shape (n, m)

        Returns
        -------
        ndarray of shape (n, classes)
        """
        return self.calibrate(self.forest.predict_proba(features))

    def calibrate(self, shares: np.ndarray) -> np.ndarray:
        """Probabilities from the mean class shares in the leaves, both of shape (n, classes)."""
        return softmax(self.scale * np.log(self._smoothed(shares)) + self.shift)

    def mean_gradient(self, place: int, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """The mean derivative of a calibrated probability on the line between two points.

        Times ``end - start`` it is the difference of the probability.

        Parameters
        ----------
        place : int
            Position of the class.
        start, end : ndarray of shape (classes,)
            Mean class shares in the leaves.

        Returns
        -------
        ndarray of shape (classes,)
            By the share of each class.
        """
        at, weights = np.polynomial.legendre.leggauss(_POINTS)
        shares = start + (at[:, np.newaxis] + 1) / 2 * (end - start)
        found = self.calibrate(shares)
        own = np.eye(len(start))[place] - found
        slopes = self.scale * found[:, [place]] * own / self._smoothed(shares)
        gradient: np.ndarray = (1 - _SMOOTHING) * (weights / 2) @ slopes
        return gradient

    def _smoothed(self, shares: np.ndarray) -> np.ndarray:
        smoothed: np.ndarray = (1 - _SMOOTHING) * shares + _SMOOTHING * self.frequencies
        return smoothed

    def predict(self, features: np.ndarray) -> np.ndarray:
        """The most probable class of each row. Parameters as of `predict_proba`."""
        predicted: np.ndarray = self.classes_.take(self.predict_proba(features).argmax(axis=1))
        return predicted

    def calibrated(self, scale: float) -> Self:
        """The classifier with a `temperature` applied to its probabilities."""
        return type(self)(self.forest, self.frequencies, self.scale * scale, self.shift * scale)

    def fit(self, *_: object) -> NoReturn:
        """Raise TypeError: it consists of trained parts."""
        raise TypeError("CalibratedClassifier cannot be fitted; it consists of trained parts")

    def __setstate__(self, state: dict[str, Any]) -> None:
        if not {"forest", "frequencies", "scale", "shift"} <= state.keys():
            raise ValueError("a CalibratedClassifier of another version; rematerialize its month")
        super().__setstate__(state)

    def __sklearn_is_fitted__(self) -> bool:
        return True


def softmax(logarithms: np.ndarray) -> np.ndarray:
    """Probabilities of shape (n, classes) from unnormalized logarithms."""
    shares = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
    probabilities: np.ndarray = shares / shares.sum(axis=1, keepdims=True)
    return probabilities


def temperature(codes: np.ndarray, probabilities: np.ndarray) -> float:
    """The factor of the log probabilities that minimizes the log loss.

    Parameters
    ----------
    codes : ndarray of int, shape (n,)
        The class of each row.
    probabilities : ndarray of shape (n, classes)
        Positive.
    """
    step = -(-len(codes) // _MAX_ROWS)
    codes, logarithms = codes[::step], np.log(probabilities[::step])
    rows = np.arange(len(codes))

    def loss(logarithm: float) -> float:
        found = softmax(np.exp(logarithm) * logarithms)
        return float(-np.log(found[rows, codes]).sum() + _PENALTY * logarithm**2)

    return float(np.exp(minimize_scalar(loss, bounds=(-2, 2), method="bounded").x))


def scaled(probabilities: np.ndarray, scale: float) -> np.ndarray:
    """`probabilities` with a `temperature` applied to them."""
    return softmax(scale * np.log(probabilities))
