"""Buckets: shares of the users by a hash of their ids, which is the same in every month.

The hash of a user is a fraction in [0, 1). With a count of 4, bucket 1 is the users from 0.25 up to
0.5, so that it is buckets 2 and 3 of 8: months with different counts are read side by side, and the
first bucket of 16 is a sample of users within the first of 8.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Bytes of the digest that are the fraction. Those before them decide who is held out
# (`models.datasets`), so that each bucket has the same share of held-out users.
_FIRST, _LAST = 2, 10
_BITS = 8 * (_LAST - _FIRST)


@dataclass(frozen=True, order=True)
class Bucket:
    """A share of the users.

    Attributes
    ----------
    index : int
    count : int
        The number of buckets, a power of two.
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if self.count < 1 or self.count & (self.count - 1) or not 0 <= self.index < self.count:
            raise ValueError(f"there is no bucket {self.index} of {self.count}")

    @classmethod
    def of(cls, user_id: str, count: int) -> "Bucket":
        """The one of `count` buckets that has this user."""
        return cls(_index(user_id, count), count)

    def overlapping(self, count: int) -> range:
        """The indices of those of `count` buckets that have users of this one."""
        if count <= self.count:
            index = self.index * count // self.count
            return range(index, index + 1)
        each = count // self.count
        return range(self.index * each, (self.index + 1) * each)

    def contains(self, user_ids: pa.ChunkedArray) -> np.ndarray:
        """Whether each of the users is in the bucket, of shape (n,)."""
        found: np.ndarray = indices(user_ids, self.count) == self.index
        return found


#: The one bucket of all users.
EVERYONE = Bucket()


def indices(user_ids: pa.ChunkedArray, count: int) -> np.ndarray:
    """The index of the bucket of each user, of `count` buckets.

    Parameters
    ----------
    user_ids : ChunkedArray of string, of length n
        Spaces around an id do not belong to it, as in the ETL.
    count : int
        A power of two.

    Returns
    -------
    ndarray of int, of shape (n,)
    """
    if count == 1:
        return np.zeros(len(user_ids), np.int64)
    encoded = pc.dictionary_encode(user_ids.combine_chunks())
    places = [_index(user, count) for user in encoded.dictionary.to_pylist()]
    found: np.ndarray = np.array(places, np.int64)[encoded.indices.to_numpy()]
    return found


def _index(user_id: str, count: int) -> int:
    digest = hashlib.sha256(user_id.strip(" ").encode()).digest()
    return int.from_bytes(digest[_FIRST:_LAST]) * count >> _BITS


def count_of(rows: int, rows_per_bucket: int) -> int:
    """The least power of two that leaves at most `rows_per_bucket` rows in the mean bucket."""
    needed = -(-rows // rows_per_bucket)
    return 1 << max(needed - 1, 0).bit_length()
