"""Training rows, and the users that are held out to evaluate on."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fitness_assets.errors import NotLearnedError
from fitness_assets.formatting import joined
from fitness_assets.record.raw import NUMBERS

#: One user in this many is held out.
HOLD_OUT = 5

#: With fewer users none is held out: scores are cross-validated by user, and the model is trained
#: on all of them.
FEW_USERS = 100

#: Rows of a window up to which models read all users, and otherwise a sample: 2 GB of memory. More
#: rows improve the scores by less than what varies from month to month.
MAX_ROWS = 600_000

#: Users needed to train on some and to evaluate on others. Models of fewer users are personal.
FEWEST_USERS = 10

# Up to this many rows the validation splits are a cross-validation of so many folds; with more
# rows one fold is enough.
_FEW_ROWS, _FOLDS_OF_FEW = 5_000, 3
# A feature must be known in this share of the rows. A rarer one says who has it, not what it is.
_LEAST_KNOWN = 0.25
# What a message calls the columns that a model needs.
_NAMES = {name: spec.label.lower() for name, spec in NUMBERS.items()} | {
    "activity_type": "activity labels"
}
# Folds of a cross-validation of few users.
_FOLDS = 5


@dataclass(frozen=True)
class Split:
    """Rows of users to train on, and rows of other users to evaluate on.

    Attributes
    ----------
    train, test : DataFrame
        Both are all rows if `few`.
    few : bool
        Whether there are too few users to hold some out. Scores are then cross-validated.
    """

    train: pd.DataFrame
    test: pd.DataFrame
    few: bool = False


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
        Users needed, if more than ten.

    Raises
    ------
    NotLearnedError
        If there are too few users with such rows.
    """
    usable = days["worn"] & days[list(needed)].notna().all(axis=1)
    users = days["user_id"][usable].nunique()
    least = max(FEWEST_USERS, people)
    if users < least:
        raise NotLearnedError(
            f"needs {least} users with {joined([_NAMES[name] for name in needed])}; there "
            f"{'is' if users == 1 else 'are'} {users}"
        )
    if users < FEW_USERS:
        rows = in_order_of_content(days[usable])
        return Split(rows, rows, few=True)
    test = held_out(days["user_id"])
    return Split(days[usable & ~test], days[usable & test])


def with_columns(rows: pd.DataFrame, columns: Mapping[str, Any]) -> pd.DataFrame:
    """`rows` with these columns added or replaced; the others are shared and not copied.

    `DataFrame.assign` copies them, which takes time and memory for a window of months.
    """
    shared = rows.copy(deep=False)
    for name, values in columns.items():
        shared[name] = values
    return shared


def in_order_of_content(days: pd.DataFrame) -> pd.DataFrame:
    """`days` with the users in an order that does not depend on their ids.

    Ids are pseudonyms, which depend on a home's key. What is drawn from few users must not.
    """
    content = days.drop(columns=["user_id", "segment", "source"], errors="ignore")
    row = pd.util.hash_pandas_object(content, index=False)
    user = row.groupby(days["user_id"].to_numpy()).transform("sum").to_numpy()
    order = np.lexsort((days["date"].to_numpy(), user))
    return days.iloc[order].reset_index(drop=True)


def folds(users: pd.Series, seed: int, count: int = _FOLDS) -> np.ndarray:
    """The fold of each row in a cross-validation by user, from the order of the users.

    Parameters
    ----------
    users : Series of shape (n,)
        The user of each row.
    seed : int
    count : int
    """
    numbers, names = pd.factorize(users)
    fold_of = np.random.default_rng(seed).permutation(len(names)) % count
    return np.asarray(fold_of[numbers])


def without_rare(rows: pd.DataFrame, columns: Sequence[str], people: int) -> pd.DataFrame:
    """`rows` with the categories that fewer than `people` users have as missing values.

    If there are fewer than `people` users with missing values then, they get the category that most
    rows have: "missing" is a category of its own for a model.
    """
    found = {}
    for name in columns:
        if name not in rows:
            continue
        users = rows.groupby(name)["user_id"].nunique()
        values = rows[name].where(~rows[name].isin(users.index[users < people]))
        missing = values.isna()
        if missing.any() and not missing.all() and rows["user_id"][missing].nunique() < people:
            values = values.fillna(values.mode()[0])
        found[name] = values
    return with_columns(rows, found)


def validation_splits(train: pd.DataFrame, *, few: bool = False) -> Iterator[Split]:
    """Splits of the training rows, by user, for model selection.

    The test set is not used before the model is selected. With few users or rows this is a
    cross-validation, with many rows one validation split.

    Parameters
    ----------
    train : DataFrame
    few : bool
        See `Split`.

    Raises
    ------
    NotLearnedError
        If there are fewer than two users.
    """
    users = train["user_id"].nunique()
    if users <= 1:
        raise NotLearnedError(f"needs 2 training users for a validation split; there is {users}")
    if few:
        fold_of, used = folds(train["user_id"], 0, _FOLDS_OF_FEW), _FOLDS_OF_FEW
    elif len(train) <= _FEW_ROWS:
        fold_of, used = _fold(train["user_id"], 1, _FOLDS_OF_FEW).to_numpy(), _FOLDS_OF_FEW
    else:
        fold_of, used = _fold(train["user_id"], 1, HOLD_OUT).to_numpy(), 1
    # By chance there may be no user in a fold, or all of them.
    if len(np.unique(fold_of)) == 1 or fold_of.min() > 0:
        fold_of = folds(train["user_id"], 0, max(used, 2))
    for fold in range(used):
        validation = fold_of == fold
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
    """The features of each group that are known in enough rows and of so many users.

    Groups without any are left out.
    """
    users = pd.factorize(days["user_id"])[0]

    def is_known(name: str) -> bool:
        known = days[name].notna().to_numpy()
        if known.mean() < _LEAST_KNOWN:
            return False
        return int(np.count_nonzero(np.bincount(users[known]))) >= people

    found = {group: [name for name in names if is_known(name)] for group, names in groups.items()}
    return {group: names for group, names in found.items() if names}
