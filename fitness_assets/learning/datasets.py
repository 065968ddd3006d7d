"""What each model learns from, and who is kept aside to test it on."""

import hashlib
from dataclasses import dataclass

import pandas as pd

from fitness_assets.errors import NotLearnedError

#: One user in this many is never learned from.
HOLD_OUT = 5

#: Fewer people than this on either side of the split prove nothing.
_FEWEST_USERS = 5


@dataclass(frozen=True)
class Split:
    """Rows of the users a model learns from, and of those it has never seen."""

    train: pd.DataFrame
    test: pd.DataFrame


def held_out(user_ids: pd.Series) -> pd.Series:
    """Whether each user belongs to the test set.

    The answer depends on the user's id alone, so a user stays on their side of the split in every
    month and whoever else is in the data.
    """
    users = user_ids.unique()
    sides = {user: hashlib.sha256(str(user).encode()).digest()[0] % HOLD_OUT == 0 for user in users}
    return user_ids.map(sides).astype(bool)


def split_by_user(days: pd.DataFrame, needed: list[str]) -> Split:
    """Rows of worn days that have all of `needed`, split by user.

    Raises
    ------
    NotLearnedError
        If there are too few users with such rows on either side.
    """
    usable = days[days["worn"] & days[needed].notna().all(axis=1)]
    test = held_out(usable["user_id"])
    split = Split(usable[~test], usable[test])
    learned, tested = (part["user_id"].nunique() for part in (split.train, split.test))
    if min(learned, tested) < _FEWEST_USERS:
        raise NotLearnedError(
            f"needs {_FEWEST_USERS} users to learn from and {_FEWEST_USERS} to test on that have "
            f"{', '.join(needed)}; there are {learned} and {tested}"
        )
    return split
