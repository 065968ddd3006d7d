"""Random numbers as named streams, so that each value depends on its user and its name only."""

import hashlib
import math

import numpy as np

# Each step of Philox gives four draws.
_DRAWS_PER_STEP = 4


class RandomStreams:
    """Independent random streams of one seed, each identified by a name.

    Parameters
    ----------
    seed : int
    skipped : int
        The number of users whose values are left out: those of the next users are drawn.
    """

    def __init__(self, seed: int, skipped: int = 0) -> None:
        self._seed = seed
        self._skipped = skipped

    def after(self, users: int) -> "RandomStreams":
        """The same streams without the values of the first `users` users."""
        return RandomStreams(self._seed, users)

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
        bits = np.random.Philox(key=int.from_bytes(digest))
        # One draw per value, users first, so that more users only lengthen the stream.
        steps, rest = divmod(self._skipped * math.prod(shape[1:]), _DRAWS_PER_STEP)
        generator = np.random.Generator(bits.advance(steps))
        generator.random(rest)
        values = generator.random(shape)
        return np.clip(values, 1e-12, 1 - 1e-12, out=values)

    def normal(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Draw from the standard normal distribution; parameters as for `uniform`."""
        from scipy.special import ndtri

        values = self.uniform(name, shape)
        ndtri(values, out=values)
        return values
