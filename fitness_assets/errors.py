"""The errors a user can act on. Everything else is a bug and keeps its traceback."""


class FitnessError(Exception):
    """A problem in the user's data or settings, told in one line that names the thing at fault."""


class SettingsError(FitnessError):
    """A setting has a value that cannot be used."""


class SourceError(FitnessError):
    """A telemetry source, or a file in it, cannot be read as what it claims to be."""


class StorageError(FitnessError):
    """A stored artifact is missing, held by another writer, or not what its manifest says."""


class ReleaseError(FitnessError):
    """A release is not what its pointer, its manifest or the consumer's pin says."""


class DriveError(FitnessError):
    """Google Drive refuses what is asked of it, cannot be reached, or stores something else."""


class MemoryBudgetError(FitnessError):
    """What is to be loaded would not fit the memory there is."""


class EtlError(FitnessError):
    """Spark could not do its work; the message is the cause it gives."""


class QualityError(FitnessError):
    """A month is not fit to be learned from, and is not published."""


class NotLearnedError(FitnessError):
    """The data cannot teach this model; the message is the reason shown to users."""


class PackedForestError(FitnessError):
    """Bytes that claim to be a packed forest are not one."""
