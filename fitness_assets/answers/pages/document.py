"""The parts of a page, independent of its format. Every text is plain text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """One or more sentences."""

    text: str


@dataclass(frozen=True)
class Points:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Command:
    """A command, in one line."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table. The first `left` columns are text, the others numbers.

    Attributes
    ----------
    columns : sequence of str
    rows : sequence of sequence of str
    left : int
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int = 1


@dataclass(frozen=True)
class Chart:
    """A measure over time.

    Attributes
    ----------
    name : str
        Short name, unique in the document.
    title : str
        With the unit.
    text : str
        What the chart shows, for readers who do not see it.
    dates : sequence of date
        Middle of each bar, or the day of each point.
    values : sequence of float
        In the unit of the title; NaN where the line has a gap.
    low, high : sequence of float
        The band around the values; empty for none.
    usual : tuple of float, optional
        A constant band of usual values instead.
    width : float
        Width of bars in days; 0 for points joined by a line.
    limits : (date, date), optional
        First and last day of the axis.
    spans : sequence of (date, date)
        First and last day of what is marked in grey.
    """

    name: str
    title: str
    text: str
    dates: Sequence[date]
    values: Sequence[float]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    usual: tuple[float, float] | None = None
    width: float = 0
    limits: tuple[date, date] | None = None
    spans: Sequence[tuple[date, date]] = ()


@dataclass(frozen=True)
class Charts:
    """Charts side by side, two in a line."""

    charts: Sequence[Chart]


Part = Heading | Paragraph | Points | Command | Table | Charts


@dataclass(frozen=True)
class Document:
    """A page.

    Attributes
    ----------
    title, subtitle : str
    parts : sequence of Part
    dated : date
        The day that the page is about last; it is the date of files that need one.
    """

    title: str
    subtitle: str
    parts: Sequence[Part]
    dated: date
