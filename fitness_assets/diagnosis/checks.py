"""All checks of `fitness doctor`, the quick ones first."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

from fitness_assets.diagnosis import machine
from fitness_assets.diagnosis.finding import Finding, fault
from fitness_assets.errors import FitnessError
from fitness_assets.settings import Settings
from fitness_assets.system_errors import explain

_CORRECT = "correct what the line names"


def diagnose(settings: Settings, *, spark: bool = True) -> Iterator[tuple[str, Finding]]:
    """Run the checks; nothing is changed.

    Parameters
    ----------
    settings : Settings
    spark : bool
        Whether to start Spark, which takes most of the time, and is done during the other checks.

    Yields
    ------
    subject : str
        What was checked.
    finding : Finding
    """
    with ThreadPoolExecutor(1) as pool:
        started = pool.submit(lambda: list(machine.check_spark(settings))) if spark else None
        checks = _quick_checks(settings)
        if started is not None:
            checks["spark"] = started.result
        for subject, check in checks.items():
            try:
                for finding in check():
                    yield subject, finding
            except FitnessError as error:
                text, _, remedy = str(error).partition("; ")
                yield subject, fault(text, remedy or _CORRECT)
            except OSError as error:
                text, _, remedy = (explain(error, str(settings.home)) or str(error)).partition("; ")
                yield subject, fault(f"cannot be checked: {text}", remedy or _CORRECT)


def _quick_checks(settings: Settings) -> dict[str, Callable[[], Iterable[Finding]]]:
    """The checks except that of Spark."""
    # Their imports take about as long as the checks.
    from fitness_assets.diagnosis import home, inputs, records
    from fitness_assets.diagnosis.objects import check_object_store

    found = home.Home.of(settings)
    return {
        "settings": lambda: inputs.check_variables(settings),
        "clock": lambda: machine.check_clock(settings),
        "disk": lambda: machine.check_disks(settings),
        "home": lambda: home.check_permissions(settings, found),
        "object store": lambda: check_object_store(settings),
        "people": lambda: inputs.check_people(settings),
        "source": lambda: inputs.check_source(settings),
        "upload": lambda: inputs.check_upload(settings),
        "version": lambda: home.check_version(settings),
        "stored data": lambda: home.check_manifests(settings, found),
        "locks": lambda: home.check_locks(settings, found),
        "backups": lambda: home.check_backups(settings),
        "staging": lambda: home.check_staging(found),
        "dagster.yaml": lambda: records.check_dagster_settings(settings),
        "daemon": lambda: records.check_daemon(settings),
        "runs": lambda: records.check_failures(settings),
        "ports": lambda: machine.check_ports(settings),
        "java": lambda: machine.check_java(settings),
    }
