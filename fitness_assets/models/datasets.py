"""Training rows, and the users that are held out to evaluate on."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from fitness_assets.errors import NotLearnedError

#: One user in this many is held out.
HOLD_OUT = 5

#: Users needed on either side of the split; scores of fewer say nothing.
_MIN_USERS = 5

#: Up to this many rows the validation splits are a cross-validation of so many folds; with more
#: rows one fold is enough.
_FEW_ROWS, _FOLDS_OF_FEW = 5_000, 3


@dataclass(frozen=True)
class Split:
    """Rows of users to train on, and rows of other users to evaluate on."""

    train: pd.DataFrame
    test: pd.DataFrame


def held_out(user_ids: pd.Series) -> pd.Series:
    """Whether each user belongs to the test set.

    The answer depends on the user's id alone, so a user is on the same side of the split in every
    month and in any cohort.
    """
    return _fold(user_ids, 0, HOLD_OUT) == 0


def _fold(user_ids: pd.Series, byte: int, folds: int) -> pd.Series:
    """The fold of each user, from one byte of a hash; folds of different bytes are independent."""
    numbers = {
        user: hashlib.sha256(str(user).encode()).digest()[byte] % folds
        for user in user_ids.unique()
    }
    return user_ids.map(numbers).astype("int8")


def split_by_user(days: pd.DataFrame, needed: Sequence[str], people: int = 1) -> Split:
    """Rows of worn days that have all of the columns `needed`, split by user.

    Parameters
    ----------
    days : DataFrame
    needed : sequence of str
    people : int
        Users needed on either side, if more than five.

    Raises
    ------
    NotLearnedError
        If there are too few users with such rows on either side.
    """
    usable = days[days["worn"] & days[list(needed)].notna().all(axis=1)]
    test = held_out(usable["user_id"])
    split = Split(usable[~test], usable[test])
    train_users, test_users = (part["user_id"].nunique() for part in (split.train, split.test))
    least = max(_MIN_USERS, people)
    if min(train_users, test_users) < least:
        raise NotLearnedError(
            f"needs {least} users to train on and {least} to evaluate on that have "
            f"{', '.join(needed)}; there are {train_users} and {test_users}"
        )
    return split


def without_rare(rows: pd.DataFrame, columns: Sequence[str], people: int) -> pd.DataFrame:
    """`rows` with the categories that fewer than `people` users have as missing values."""
    rare = {
        name: users.index[users < people]
        for name in columns
        if name in rows
        for users in [rows.groupby(name)["user_id"].nunique()]
    }
    return rows.assign(
        **{
            name: rows[name].where(~rows[name].isin(values))
            for name, values in rare.items()
            if len(values)
        }
    )


def validation_splits(train: pd.DataFrame) -> Iterator[Split]:
    """Splits of the training rows, by user, for model selection.

    The test set is not used before the model is selected. With few rows this is a cross-validation,
    with many rows one validation split.
    """
    few = len(train) <= _FEW_ROWS
    folds = _fold(train["user_id"], 1, _FOLDS_OF_FEW if few else HOLD_OUT)
    for fold in range(_FOLDS_OF_FEW if few else 1):
        validation = folds == fold
        if validation.any() and not validation.all():
            yield Split(train[~validation], train[validation])


def sample_users(days: pd.DataFrame, rows: int) -> pd.DataFrame:
    """All days of a sample of users that has about `rows` rows; all users if there are fewer.

    The order in which users are drawn depends on their ids alone, so that samples of similar
    cohorts overlap.
    """
    sizes = days["user_id"].value_counts()
    order = sorted(sizes.index, key=lambda user: hashlib.sha256(str(user).encode()).digest()[2:])
    total = sizes.loc[order].cumsum()
    return days[days["user_id"].isin(total.index[total.shift(fill_value=0) < rows])]


def known_features(
    days: pd.DataFrame, groups: Mapping[str, Sequence[str]], people: int = 1
) -> dict[str, list[str]]:
    """The features of each group that so many users have; groups without any are left out."""
    found = {
        group: [
            name
            for name in names
            if days["user_id"][days[name].notna()].nunique() >= max(people, 1)
        ]
        for group, names in groups.items()
    }
    return {group: names for group, names in found.items() if names}
