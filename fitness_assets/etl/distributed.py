"""The ETL of a large month on Spark: each task cleans buckets of users by `clean.daily_activity`.

A task reads its files by Arrow. Rows do not pass through the JVM, which would take longer than
reading them, and no task needs the rows of another: there is no shuffle.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

import pyarrow as pa
from pyspark import TaskContext
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from fitness_assets.errors import EtlError
from fitness_assets.etl import clean
from fitness_assets.memory import collect_and_trim
from fitness_assets.record import raw as record
from fitness_assets.record.daily import schema_of

# Tasks for each core, if there are as many buckets: a slow one delays the others little, and few
# processes are started.
_TASKS_PER_CORE = 2

PartT = TypeVar("PartT")


class Folder(Protocol):
    """A folder of files, of a file system or of an object store."""

    def __truediv__(self, name: str, /) -> Self:
        """The file called `name`."""
        ...


FolderT = TypeVar("FolderT", bound=Folder)


@dataclass(frozen=True)
class BucketInputs(Generic[PartT]):
    """What one file of the lake is made from.

    Attributes
    ----------
    month : part of the lake
        Raw records of a bucket of users.
    earlier : part of the lake or None
        Those of the same users in the month before.
    """

    month: PartT
    earlier: PartT | None


@dataclass(frozen=True)
class OptionalColumns:
    """The optional columns of a month.

    Attributes
    ----------
    month : tuple of str
        Those of its raw records, which the files get.
    read : tuple of str
        Those that it or the month before has: the choice between two records of a day depends on
        all of them.
    """

    month: tuple[str, ...]
    read: tuple[str, ...]


@dataclass(frozen=True)
class Access(Generic[PartT, FolderT]):
    """How the executors read and write.

    Attributes
    ----------
    folder : path
        An existing folder for the files that every executor can write to.
    read : callable
        Reads the rows of a part of the lake, with the columns of a schema.
    write : callable
        Writes record batches in order to a path, with their schema.
    """

    folder: FolderT
    read: Callable[[PartT, pa.Schema], pa.Table]
    write: Callable[[FolderT, Iterable[pa.RecordBatch], pa.Schema], None]


def write_files(
    spark: SparkSession,
    inputs: Sequence[BucketInputs[PartT]],
    optional: OptionalColumns,
    access: Access[PartT, FolderT],
) -> list[FolderT]:
    """Clean the records of a month, and write a file for each bucket of its users.

    Parameters
    ----------
    spark : SparkSession
    inputs : sequence of BucketInputs
    optional : OptionalColumns
    access : Access

    Returns
    -------
    list of path
        The files, in the order of `inputs`.

    Raises
    ------
    EtlError
        If Spark fails, with the cause in one line.
    """
    cores = spark.sparkContext.defaultParallelism
    tasks = min(len(inputs), _TASKS_PER_CORE * cores)
    numbers = spark.range(0, len(inputs), 1, tasks)
    clean_buckets = _CleanBuckets(tuple(inputs), optional, access)
    try:
        written = numbers.mapInArrow(clean_buckets, "number long, name string").collect()
    except PySparkException as error:
        raise EtlError(f"Spark: {_root_cause(str(error))}") from error
    return [access.folder / row.name for row in sorted(written, key=lambda row: row.number)]


@dataclass(frozen=True)
class _CleanBuckets(Generic[PartT, FolderT]):
    """Clean the buckets of a task, and write each to a file. The rows returned are the names."""

    # A class at the top level is sent to the executors by its name, a nested function as bytecode.
    inputs: tuple[BucketInputs[PartT], ...]
    optional: OptionalColumns
    access: Access[PartT, FolderT]

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        task = TaskContext.get()
        if task is None:
            raise RuntimeError("not in a Spark task")
        # A task that is retried, or runs twice at the same time, must not overwrite its own file.
        attempt = task.taskAttemptId()
        for batch in batches:
            for number in batch["id"].to_pylist():
                name = f"{number:05d}-{attempt}.parquet"
                self._clean(self.inputs[number], self.access.folder / name)
                collect_and_trim()
                yield pa.RecordBatch.from_pydict({"number": [number], "name": [name]})

    def _clean(self, inputs: BucketInputs[PartT], path: FolderT) -> None:
        schema = _plain_schema(self.optional.read)
        read = self.access.read
        month = read(inputs.month, schema)
        earlier = None if inputs.earlier is None else read(inputs.earlier, schema)
        days = clean.daily_activity(clean.with_history(month, earlier), self.optional.month)
        self.access.write(path, days.to_batches(), schema_of(self.optional.month))


def _plain_schema(optional: Iterable[str]) -> pa.Schema:
    """The schema of raw records with `optional` columns, all nullable and without metadata."""
    fields = record.schema_of(list(optional))
    return pa.schema([pa.field(each.name, each.type) for each in fields])


def _root_cause(text: str) -> str:
    """Return the line that names the cause in an error with Python and Java stack traces."""
    lines = [line.strip() for line in text.splitlines()]
    causes = [line for line in lines if re.match(r"(Caused by: )?[\w.]*(Error|Exception): ", line)]
    return (causes or lines)[-1].removeprefix("Caused by: ")
