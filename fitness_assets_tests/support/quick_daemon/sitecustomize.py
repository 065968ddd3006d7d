"""Imported by Python at its start. In Dagster's daemon it shortens the interval of 30 s.

The interval is not a setting of Dagster. Of it depends how soon a backfill starts and is seen to
have ended.
"""

import sys

if any(each == "dagster._daemon" or each.endswith("/dagster-daemon") for each in sys.orig_argv):
    from dagster._daemon import controller

    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = 5
