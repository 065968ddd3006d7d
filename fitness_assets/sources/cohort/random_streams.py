"""Random numbers as named streams, so that each value depends on its user and its name only."""

import hashlib

import numpy as np
from scipy.special import ndtri


class RandomStreams:
    """Independent random streams of one seed, each identified by a name.

    Parameters
    ----------
    seed : int
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def uniform(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from the uniform distribution on (0, 1).

        The first axis is the user: the values of a user do not depend on the number of users.

        Parameters
        ----------
        name : str
            The stream. The same name gives the same values.
        shape : tuple of int
        """
        digest = hashlib.blake2b(f"{self._seed} {name}".encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.Philox(key=int.from_bytes(digest)))
        # One draw per value, users first, so that more users only lengthen the stream.
        values = generator.random(shape)
        return np.clip(values, 1e-12, 1 - 1e-12, out=values)

    def normal(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from the standard normal distribution; parameters as for `uniform`."""
        values = self.uniform(name, shape)
        ndtri(values, out=values)
        return values
