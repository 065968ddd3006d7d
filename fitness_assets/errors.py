"""The errors that a user can act on. Any other exception is a bug and keeps its traceback."""

from fitness_assets.text import printable


class FitnessError(Exception):
    """A problem in the user's data or settings, in one line that names the cause.

    Parameters
    ----------
    message : str
        It may quote text of files: `printable` makes it safe for terminals and logs.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class SettingsError(FitnessError):
    """A setting has an invalid value."""


class SourceError(FitnessError):
    """A telemetry source, or a file in it, is missing or not in the expected format."""


class ForgottenUserError(SourceError):
    """An export has only data of users who were forgotten."""


class StorageError(FitnessError):
    """A stored artifact is missing, locked by another writer, or differs from its manifest."""


class ObjectChangedError(StorageError):
    """An object is no longer what the writer read; it must be read again."""


class UnavailableError(StorageError):
    """An object store cannot be reached, or refuses access: nothing is known of its objects."""


class ReleaseError(FitnessError):
    """A release differs from its pointer, its manifest or the digest that a consumer expects."""


class DriveError(FitnessError):
    """Google Drive rejects a request, cannot be reached, or stores other content than sent."""


class MemoryBudgetError(FitnessError):
    """Loading would exceed the memory budget."""


class EtlError(FitnessError):
    """A Spark job failed; the message is the cause that Spark reports."""


class QualityError(FitnessError):
    """A month failed a blocking data check and is not published."""


class QuestionError(FitnessError):
    """A question names an unknown user, measure or period, or exceeds a limit."""


class NotLearnedError(FitnessError):
    """The data do not suffice to train a model; the message is the reason shown to users."""


class PackedForestError(FitnessError):
    """Bytes are not a valid packed forest."""
