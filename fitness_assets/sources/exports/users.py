"""The user ids in the files of one format."""

from fitness_assets.record.user_ids import normalize_user_id
from fitness_assets.sources.exports.callbacks import Quarantine

_MAX_LENGTH = 1_000


class UserIds:
    """Normalizes user ids, and reports each spelling that is not the first one of its user.

    Parameters
    ----------
    quarantine : callable
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._first_spellings: dict[str, str] = {}
        self._normalized: dict[str, str] = {}

    def read(self, user_id: str, file: str) -> str:
        """The normal form of `user_id`, which the file named `file` holds.

        Raises
        ------
        ValueError
            If it has none.
        """
        known = self._normalized.get(user_id)
        if known is not None:
            return known
        if len(user_id) > _MAX_LENGTH:
            raise ValueError(f"the user id has {len(user_id):,} characters")
        normalized = self._normalized[user_id] = normalize_user_id(user_id)
        first = self._first_spellings.setdefault(normalized, user_id)
        if first != user_id:
            self._quarantine(
                file,
                "user id",
                "two spellings differ only in spaces, invisible characters or Unicode form: they "
                "are read as one user",
            )
        return normalized
