"""Why a run failed, in one line."""

from collections.abc import Iterable, Iterator

import dagster as dg

from fitness_assets import errors
from fitness_assets.errors import FitnessError

_INTERRUPTED = {"DagsterExecutionInterruptedError", "KeyboardInterrupt"}
#: Names of the errors whose message is complete for a user.
_FITNESS_ERRORS = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, FitnessError)
}


def was_interrupted(events: Iterable[dg.DagsterEvent]) -> bool:
    """Whether a signal ended the run with these events."""
    return any(kind in _INTERRUPTED for _, kind, _ in _causes(events))


def first_failure(events: Iterable[dg.DagsterEvent], run_id: str) -> str:
    """One line that says which step of a failed run failed first, and why."""
    causes = list(_causes(events))
    if not causes:
        return f"run {run_id} failed before its first step"
    first, _, _ = causes[0]
    chain = [(kind, message) for step, kind, message in causes if step == first]
    known = (each for each in chain if each[0] in _FITNESS_ERRORS | _INTERRUPTED)
    kind, message = next(known, chain[-1])
    if kind in _INTERRUPTED:
        return f"{first} was interrupted"
    if kind in _FITNESS_ERRORS:
        return f"{first}: {message.partition(': ')[2]}"
    return f"{first}: {message} (see the log of run {run_id})"


def _causes(events: Iterable[dg.DagsterEvent]) -> Iterator[tuple[str, str, str]]:
    """Step, class and message of each error in the chain of causes, the outermost first."""
    for event in events:
        if event.is_step_failure:
            step, error = str(event.step_key), event.step_failure_data.error
        elif event.is_job_failure:
            step, error = "the run", event.job_failure_data.error
        else:
            continue
        while error is not None:
            yield step, str(error.cls_name), " ".join(error.message.split())
            error = error.cause
