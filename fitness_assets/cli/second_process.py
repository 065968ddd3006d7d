"""A second process that executes runs, so that a command uses two cores."""

import multiprocessing
import os
import queue
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Self

from fitness_assets import memory
from fitness_assets.cli.month_run import Outcome, Progress, Runner
from fitness_assets.settings import Settings

#: Seconds that a process may take to end after its last run.
_END_TIMEOUT = 30


@dataclass(frozen=True)
class _Stored:
    month: str
    asset: str


@dataclass(frozen=True)
class _Ended:
    outcome: Outcome
    peak: int | None


class SecondProcess:
    """Executes runs in the order in which they are submitted. It ends with this process.

    Attributes
    ----------
    submitted : list of (str, list of str)
        Months and assets of the runs whose outcome was not taken yet.
    peak : int or None
        The peak memory of the process in bytes, after its last run; None before, and where the
        system does not record peaks.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        # A fork would copy the threads' locks and the open databases of this process.
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(settings, theirs), daemon=True)
        self._process.start()
        theirs.close()
        self.submitted: list[tuple[str, list[str]]] = []
        self._ended: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._progress = progress
        self.peak: int | None = None
        threading.Thread(target=self._receive, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(OSError):
            self._connection.send(None)
        self._process.join(_END_TIMEOUT)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()

    def submit(self, month: str, assets: Sequence[str]) -> None:
        """Execute a run of `assets` of a month after those that were submitted before."""
        self.submitted.append((month, list(assets)))
        # A process that has ended is found when the outcome is taken.
        with suppress(OSError):
            self._connection.send((month, list(assets)))

    def ended(self, *, wait: bool) -> list[Outcome]:
        """Take the outcomes of runs that have ended.

        Parameters
        ----------
        wait : bool
            Whether to wait until a run has ended, if none has.
        """
        found: list[Outcome] = []
        while self.submitted:
            try:
                outcome = self._ended.get(block=wait and not found)
            except queue.Empty:
                break
            if outcome is None:
                # The process was killed, for example because memory was short.
                found += [self._lost(*each) for each in self.submitted]
                self.submitted.clear()
                self._ended.put(None)
                break
            self.submitted.pop(0)
            found.append(outcome)
        return found

    def interrupt(self) -> list[Outcome]:
        """Interrupt the current run, start no other, and return the outcome of the current one."""
        running, self.submitted = self.submitted[:1], self.submitted[:1]
        with suppress(OSError):
            self._connection.send(None)
        if running and self._process.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGINT)
        return self.ended(wait=True)

    def _lost(self, month: str, assets: list[str]) -> Outcome:
        self._process.join(_END_TIMEOUT)
        error = f"the process of the run ended with exit code {self._process.exitcode}"
        return Outcome(
            month=month,
            assets=assets,
            seconds=0.0,
            error=error,
            failed=assets,
            warnings=[],
            interrupted=False,
        )

    def _receive(self) -> None:
        """Receive what the process sends, in a thread, so that progress is shown at once."""
        try:
            while True:
                message = self._connection.recv()
                if isinstance(message, _Stored):
                    self._progress(message.month, message.asset)
                else:
                    self.peak = message.peak
                    self._ended.put(message.outcome)
        except (EOFError, OSError):
            self._ended.put(None)


def _serve(settings: Settings, connection: Connection) -> None:
    """Execute the runs that are received, in the second process."""
    # A process that a script starts in the background ignores it, and could not be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=_interrupt_with_parent, daemon=True).start()

    def progress(month: str, asset: str) -> None:
        connection.send(_Stored(month, asset))

    # Ctrl-C in a terminal also interrupts a process that waits.
    with (
        suppress(EOFError, BrokenPipeError, KeyboardInterrupt),
        Runner(settings, progress) as runner,
    ):
        while (received := connection.recv()) is not None:
            outcome = runner.run(*received)
            connection.send(_Ended(outcome, memory.peak()))
            if outcome.interrupted:
                return


def _interrupt_with_parent() -> None:
    """Interrupt the current run when the parent process has ended, however it did."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGINT)
