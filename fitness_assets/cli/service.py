"""One service of `fitness serve`: a process that is started again when it ends."""

import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Self

# A limit for a machine under heavy load; it is not waited for otherwise.
_STOP_TIMEOUT_SECONDS = 20.0
#: A service that ends more often in `_RESTART_SECONDS` is not started again.
MAX_RESTARTS = 5
_RESTART_SECONDS = 600.0


class Service:
    """A context manager that ends the process of the service. Its children may outlive it.

    Parameters
    ----------
    name : str
        For messages.
    command : sequence of str
    environment : dict of str to str
    """

    def __init__(self, name: str, command: Sequence[str], environment: dict[str, str]) -> None:
        self.name = name
        self._command, self._environment = list(command), environment
        self._process: subprocess.Popen[bytes] | None = None
        self._restarts: list[float] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def start(self) -> None:
        """Start the process. Ctrl-C in a terminal does not reach it."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, start_new_session=True
        )

    def has_ended(self) -> bool:
        """Whether the service was started and its process has ended."""
        return self._process is not None and self._process.poll() is not None

    def status(self) -> int | None:
        """The exit status of the process that ended last."""
        return self._process.returncode if self._process else None

    def restart(self, log: Callable[[str], None]) -> bool:
        """Start the process again, unless it ended too often. Returns whether it was started.

        Its children are left alone: runs of a code server that was killed continue.
        """
        now = time.monotonic()
        self._restarts = [each for each in self._restarts if now - each < _RESTART_SECONDS]
        if len(self._restarts) >= MAX_RESTARTS:
            return False
        self._restarts.append(now)
        log(f"the {self.name} ended with status {self.status()}; starting it again")
        self.start()
        return True
