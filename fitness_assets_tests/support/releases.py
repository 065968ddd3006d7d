"""Information of releases that tests publish, and the features of the models in one."""

import msgspec

from fitness_assets.models.day_kind_metrics import DayKindMetrics
from fitness_assets.models.reports import ModelReport
from fitness_assets.models.segment_metrics import SegmentMetrics
from fitness_assets.release.bundle import MonthSummary, ReleaseInfo

_SUMMARY = MonthSummary(
    records=1,
    users=1,
    days=1,
    worn_records=1,
    total_steps=1,
    total_kcal=1.0,
    mean_steps=1.0,
    mean_kcal=1.0,
    mean_heart_rate=None,
    mean_sleep_hours=None,
    activities={},
)
_INFO = ReleaseInfo(
    month="2023-04",
    summary=_SUMMARY,
    upstream={},
    learned_from={},
    checks={},
    backtest={},
    not_released={},
    fallbacks={},
    libraries={},
)


def model_features(report: ModelReport) -> list[str]:
    """The columns that a model predicts from."""
    metrics = report.metrics
    assert metrics is not None
    assert not isinstance(metrics, DayKindMetrics)
    return metrics.features if isinstance(metrics, SegmentMetrics) else metrics.inputs.features


def any_content(*_: object, **__: object) -> None:
    """Accept releases whose files have any content, for tests of how they are copied."""


def release_info(month: str, **changes: object) -> ReleaseInfo:
    """Information of a release of `month` with nothing in it, but for `changes`."""
    return msgspec.structs.replace(_INFO, month=month, **changes)
