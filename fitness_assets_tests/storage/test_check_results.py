from pathlib import Path

import pytest

from fitness_assets.record.check_result import CheckResult
from fitness_assets.storage.check_results import CheckResultStore, Judged

RESULTS = [
    CheckResult("not_empty", True, "5 user-days", {"rows": 5}),
    CheckResult("no_drift", False, "drift since 2023-03: steps 0.31", {"steps": 0.31}),
]
JUDGED = Judged(data_version="abc", compared_with="before")


def test_results_are_loaded_for_the_data_that_they_judged(tmp_path: Path) -> None:
    store = CheckResultStore(tmp_path / "daily_activity")
    assert store.load("2023-04", JUDGED) is None
    store.save("2023-04", JUDGED, RESULTS)
    assert store.load("2023-04", JUDGED) == RESULTS


@pytest.mark.parametrize(
    "other",
    [
        Judged(data_version="def", compared_with="before"),
        Judged(data_version="abc", compared_with="restated"),
        Judged(data_version="abc", compared_with=None),
    ],
)
def test_results_of_other_data_are_not_loaded(tmp_path: Path, other: Judged) -> None:
    store = CheckResultStore(tmp_path / "daily_activity")
    store.save("2023-04", JUDGED, RESULTS)
    assert store.load("2023-04", other) is None
