"""Answers as JSON of limited size, which say what they leave out."""

from collections.abc import Callable

import msgspec

from fitness_assets.answers.records import DAILY, VERSION_DIGITS, Days, Sources
from fitness_assets.formatting import number
from fitness_assets.months import shift
from fitness_assets.text import printable

#: Limit on the bytes of an answer, so that it takes little of an assistant's context.
MAX_BYTES = 2_000
#: Limit on the months whose data versions an answer lists one by one.
LISTED_MONTHS = 12
# Characters of a text of an export, such as the name of a device.
_MAX_TEXT = 60
# Characters of the message of a data check, and of the reason of a model.
_MAX_MESSAGE = 200
# Characters of an argument, such as the name of a user.
_MAX_ARGUMENT = 200
# Runs of consecutive months that an answer lists.
_MAX_RUNS = 6


class Origin(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where the numbers of an answer come from.

    Attributes
    ----------
    months : str
    data_versions : dict of str to str
        By month, shortened. Of more than `LISTED_MONTHS` months there is a digest of all of them.
    digest : str
        See `records.Sources.digest`.
    months_absent : str
        The months of the period that the lake does not have.
    partial_until : str
        The last day so far of a month that had not ended.
    days_missing : int or None
        Days without a record.
    days_not_worn : int or None
        Days with a record on which the device was not worn. They are in no number.
    """

    months: str
    data_versions: dict[str, str] = {}
    digest: str = ""
    months_absent: str = ""
    partial_until: str = ""
    days_missing: int | None = None
    days_not_worn: int | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An answer: its numbers as `rows`, and what they are.

    Attributes
    ----------
    about : str
        What the rows are.
    user : str
    columns : list of str
        What the places of a row are, where rows are lists.
    rows : list
    notes : list of str
    dated_notes : list of str
        What the user noted on days of the period.
    origin : list of Origin
    truncated : str
        How many rows are left out, and how to ask for them.
    """

    about: str
    user: str = ""
    columns: list[str] = []
    rows: list[object] = []
    notes: list[str] = []
    dated_notes: list[str] = []
    origin: list[Origin] = []
    truncated: str = ""


def origin_of(days: Days, read: Sources | None = None) -> Origin:
    """The origin of numbers of `days`, for which `read` were read, if these are more months."""
    return _origin(
        read or days.sources,
        months_absent=span_of(days.absent),
        partial_until=str(days.partial_until or ""),
        days_missing=len(days.missing()),
        days_not_worn=int((~days.worn).sum()),
    )


def origin_of_months(sources: Sources) -> Origin:
    """The origin of what is about whole months."""
    origin = _origin(sources)
    of = "" if sources.asset == DAILY else f"{sources.asset} "
    return msgspec.structs.replace(origin, months=f"{of}{origin.months}")


def _origin(sources: Sources, **found: str | int) -> Origin:
    listed = len(sources.versions) <= LISTED_MONTHS
    versions = {month: version[:VERSION_DIGITS] for month, version in sources.versions.items()}
    origin = Origin(
        months=span_of(list(versions)) or "none",
        data_versions=versions if listed else {},
        digest="" if listed else sources.digest,
    )
    return msgspec.structs.replace(origin, **found)


def span_of(months: list[str]) -> str:
    """Months such as "2023-01..2023-03, 2023-05"; empty if there are none."""
    if not months:
        return ""
    runs: list[list[str]] = []
    for month in months:
        if runs and shift(runs[-1][-1], 1) == month:
            runs[-1].append(month)
        else:
            runs.append([month])
    texts = [run[0] if len(run) == 1 else f"{run[0]}..{run[-1]}" for run in runs]
    more = f" and {len(texts) - _MAX_RUNS} more" if len(texts) > _MAX_RUNS else ""
    return ", ".join(texts[:_MAX_RUNS]) + more


def encode(answer: Answer) -> bytes:
    """`answer` as compact JSON, whatever its size."""
    return msgspec.json.encode(answer)


def fit(answer: Answer, rest: Callable[[int], str]) -> bytes:
    """`answer` as JSON of at most `MAX_BYTES`, with as many rows as fit, from the first.

    Parameters
    ----------
    answer : Answer
    rest : callable
        Says how to ask for the rows after the first n.

    Raises
    ------
    ValueError
        If the answer is too large without any row.
    """
    whole = encode(answer)
    if len(whole) <= MAX_BYTES:
        return whole
    fits, exceeds = -1, len(answer.rows)
    while exceeds - fits > 1:
        shown = (fits + exceeds) // 2
        if len(_cut(answer, shown, rest)) <= MAX_BYTES:
            fits = shown
        else:
            exceeds = shown
    if fits < 0:
        raise ValueError(
            f"the answer about {answer.about} has {number(len(whole))} bytes without rows"
        )
    return _cut(answer, fits, rest)


def _cut(answer: Answer, shown: int, rest: Callable[[int], str]) -> bytes:
    note = f"{number(shown)} of {number(len(answer.rows))} rows are shown; {rest(shown)}"
    return encode(msgspec.structs.replace(answer, rows=answer.rows[:shown], truncated=note))


def clip(text: object) -> str:
    """A text of an export, printable and short."""
    shown = printable(str(text))
    return shown if len(shown) <= _MAX_TEXT else f"{shown[:_MAX_TEXT]}…"


def is_short(text: str) -> bool:
    """Whether `text`, an argument, has few characters, all of which can be encoded."""
    return len(text) <= _MAX_ARGUMENT and text.encode(errors="replace").decode() == text


def shorten_message(text: str) -> str:
    """A message or a reason, cut if it is long."""
    return text if len(text) <= _MAX_MESSAGE else f"{text[:_MAX_MESSAGE]}…"
