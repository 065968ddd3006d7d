"""What the models learn from, and who is kept aside to test on."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fitness_assets.errors import NotLearnedError

#: One user in this many is never learned from.
HOLD_OUT = 5

#: Fewer people than this on either side of the split prove nothing.
_FEWEST_USERS = 5

#: Up to this many rows every training user takes a turn in validation; beyond it one fold tells.
_FEW_ROWS, _FOLDS_OF_FEW = 5_000, 3


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
    return _fold(user_ids, 0, HOLD_OUT) == 0


def _fold(user_ids: pd.Series, byte: int, folds: int) -> pd.Series:
    """The fold of each user, told by one byte of a hash; folds by other bytes are independent."""
    numbers = {
        user: hashlib.sha256(str(user).encode()).digest()[byte] % folds
        for user in user_ids.unique()
    }
    return user_ids.map(numbers).astype("int8")


def split_by_user(days: pd.DataFrame, needed: Sequence[str]) -> Split:
    """Rows of worn days that have all of `needed`, split by user.

    Raises
    ------
    NotLearnedError
        If there are too few users with such rows on either side.
    """
    usable = days[days["worn"] & days[list(needed)].notna().all(axis=1)]
    test = held_out(usable["user_id"])
    split = Split(usable[~test], usable[test])
    learned, tested = (part["user_id"].nunique() for part in (split.train, split.test))
    if min(learned, tested) < _FEWEST_USERS:
        raise NotLearnedError(
            f"needs {_FEWEST_USERS} users to learn from and {_FEWEST_USERS} to test on that have "
            f"{', '.join(needed)}; there are {learned} and {tested}"
        )
    return split


def validation(train: pd.DataFrame) -> Iterator[Split]:
    """Splits of the training rows, by user, on which choices are made.

    The test set stays unseen until the choice is made. With few rows every user is in one of the
    validation sets, with many only those of one fold.
    """
    few = len(train) <= _FEW_ROWS
    folds = _fold(train["user_id"], 1, _FOLDS_OF_FEW if few else HOLD_OUT)
    for fold in range(_FOLDS_OF_FEW if few else 1):
        aside = folds == fold
        if aside.any() and not aside.all():
            yield Split(train[~aside], train[aside])


def some_users(days: pd.DataFrame, rows: int) -> pd.DataFrame:
    """All days of so many users that there are about `rows` of them; all users if there are fewer.

    The same users are chosen whoever else is in the data, as far as possible.
    """
    sizes = days["user_id"].value_counts()
    order = sorted(sizes.index, key=lambda user: hashlib.sha256(str(user).encode()).digest()[2:])
    total = sizes.loc[order].cumsum()
    return days[days["user_id"].isin(total.index[total.shift(fill_value=0) < rows])]


def known(days: pd.DataFrame, groups: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Of each group the features of which anything is known in `days`; no empty groups."""
    found = {
        group: [name for name in names if days[name].notna().any()]
        for group, names in groups.items()
    }
    return {group: names for group, names in found.items() if names}
