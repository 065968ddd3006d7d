"""A process that holds the locks of runs until it is killed.

Run as `python -m fitness_assets_tests.support.holder DAGSTER_HOME RUN_ID...`. It prints a line when
it holds them.
"""

import signal
import sys
import time

import dagster as dg

from fitness_assets.orchestration import liveness


def main(dagster_home: str, *run_ids: str) -> None:
    """Hold the locks until the process is killed."""
    # As the command does it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with dg.DagsterInstance.from_config(dagster_home) as instance:
        for run_id in run_ids:
            liveness.hold_until_exit(instance, run_id)
        sys.stdout.write("held\n")
        sys.stdout.flush()
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:])
