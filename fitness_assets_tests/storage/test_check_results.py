from pathlib import Path

import pytest

from fitness_assets.errors import StorageError
from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage.check_results import CheckResultStore

RESULTS = [
    CheckResult("not_empty", True, "5 user-days", {"rows": 5}),
    CheckResult("no_drift", False, "drift since 2023-03: steps 0.31", {"steps": 0.31}),
]


def test_results_are_loaded_for_the_version_that_they_judged(tmp_path: Path) -> None:
    store = CheckResultStore(tmp_path / "daily_activity")
    store.save("2023-04", "abc", RESULTS)
    assert store.load("2023-04", "abc") == RESULTS


def test_a_month_without_results_of_its_version_names_the_command(tmp_path: Path) -> None:
    store = CheckResultStore(tmp_path / "daily_activity")
    command = r"run `fitness backfill 2023-04 --select daily_activity\+`$"
    with pytest.raises(StorageError, match=command):
        store.load("2023-04", "abc")
    store.save("2023-04", "abc", RESULTS)
    with pytest.raises(StorageError, match=command):
        store.load("2023-04", "def")
