"""What a module of `formats` declares: how files are recognized, read and documented."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from fitness_assets.sources.exports.archive import Member
from fitness_assets.sources.exports.callbacks import Quarantine
from fitness_assets.sources.exports.options import ImportOptions

#: Whether a file belongs to the format, by its first bytes.
MatchesHeader = Callable[[bytes], bool]
#: Whether a file of this name belongs to the format, although its first bytes do not match. Used
#: only next to files that do match: reading it then reports what is wrong with it.
MatchesName = Callable[[str], bool]
#: Whether a file belongs to the format, by its name and its first bytes together, for files whose
#: first bytes say too little, such as the columns ``date`` and ``value``.
MatchesFile = Callable[[str, bytes], bool]
#: The canonical records of the files of one export, then their workouts. What cannot be used is
#: reported to the quarantine, and the rest is read. SourceError if nothing can be read.
Read = Callable[[Sequence[Member], ImportOptions, Quarantine], Iterator[pa.RecordBatch]]


def matches_no_name(_name: str) -> bool:
    """`matches_name` of a format whose file names are not fixed."""
    return False


def matches_no_file(_name: str, _head: bytes) -> bool:
    """`matches_file` of a format whose files are all recognized by their first bytes."""
    return False


@dataclass(frozen=True, kw_only=True)
class Format:
    """An export format. Each module of `formats` assigns one to ``FORMAT``.

    Attributes
    ----------
    name : str
        The ``source`` of its records.
    title : str
        Its name in messages and documents.
    priority : int
        Formats are matched in ascending order, and the first match reads the file. Unique.
    matches_header : callable
    matches_name : callable
    matches_file : callable
    read : callable
    has_user_ids : bool
        Whether its files carry user ids. If not, the user must be declared.
    identified_by : str
        What `matches_header` looks for, for the documentation.
    dates : str
        How dates are written and assigned to days, for the documentation.
    units : str
        Units of its values, for the documentation.
    columns : mapping
        The columns of the canonical record that it can fill, and from what. ``user_id`` and
        ``date`` are always filled, and so is ``source``: it is listed only if a file can set it.
    workouts : mapping
        The columns of `record.workouts` that it can fill, and from what; times, user and source are
        always filled. Empty for a format without workouts.
    """

    name: str
    title: str
    priority: int
    matches_header: MatchesHeader
    matches_name: MatchesName
    read: Read
    has_user_ids: bool
    identified_by: str
    dates: str
    units: str
    columns: Mapping[str, str]
    workouts: Mapping[str, str] = field(default_factory=dict)
    matches_file: MatchesFile = matches_no_file
