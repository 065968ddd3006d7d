"""The nights of a Google Takeout's Fitbit files: the old JSON, and CSV of nights and stages."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import parsing
from fitness_assets.sources.exports.aggregate import DayAggregator, check_day
from fitness_assets.sources.exports.sleep import Night
from fitness_assets.sources.exports.takeout_times import local_of, parse_aware, parse_shown_day

#: Stages of one export: 40 a night for 40 years.
MAX_STAGES = 600_000
_COLUMNS = {
    "deep": "sleep_deep",
    "light": "sleep_light",
    "rem": "sleep_rem",
    "wake": "sleep_awake",
    "awake": "sleep_awake",
}
# Stages of the old JSON, without which a log has only restless and awake minutes.
_ASLEEP = {"deep", "light", "rem"}


class Nights:
    """Collects the nights of one user.

    Nights are kept by id, since overlapping exports hold the same night twice.

    Parameters
    ----------
    zone : ZoneInfo
        The user's zone.
    old_source : str
        The source of the old JSON, which names none.
    """

    def __init__(self, zone: ZoneInfo, old_source: str) -> None:
        self._zone = zone
        self._old_source = old_source
        # By source and id: the day of waking, the version of the algorithm, and the night.
        self._nights: dict[tuple[str, str], tuple[date, str, Night]] = {}
        # By id of the night, the minutes of each column by start and end of the stage.
        self._stages: dict[str, dict[tuple[datetime, datetime], str]] = defaultdict(dict)
        self._stage_count = 0

    def add_log(self, log: dict[str, Any]) -> Iterable[str]:
        """Add a night of the old JSON or the newer CSV, and return its columns."""
        if "sleep_id" in log:
            key, found = (log.get("data_source", ""), log["sleep_id"]), self._newer(log)
        else:
            key, found = (self._old_source, str(log["logId"])), _older(log)
        known = self._nights.get(key, found)
        self._nights[key] = max(found, known, key=lambda each: (*each[:2], each[2].hours))
        return found[2].columns()

    def add_stage(self, row: dict[str, Any]) -> Iterable[str]:
        """Add a stage of the newer CSV, and return its column."""
        column = _COLUMNS.get(row["sleep_stage_type"].strip().lower())
        if column is None:
            return ()
        start, end = parse_aware(row["sleep_stage_start"]), parse_aware(row["sleep_stage_end"])
        if end < start:
            raise ValueError("a stage of sleep ends before it begins")
        self._stage_count += 1
        if self._stage_count > MAX_STAGES:
            raise SourceError(f"more than {MAX_STAGES:,} stages of sleep")
        self._stages[row["sleep_id"]][start, end] = column
        return (column,)

    def add_to(self, user: str, days: DayAggregator) -> None:
        """Add the nights to `days`. Of two versions of the algorithm, the newer one is used."""
        versions: dict[tuple[str, date], str] = {}
        for (source, _), (day, version, _) in self._nights.items():
            versions[source, day] = max(version, versions.get((source, day), version))
        for (source, identity), (day, version, night) in self._nights.items():
            if version == versions[source, day]:
                stages = self._minutes(identity)
                staged = replace(night, stages=stages) if stages else night
                days.add_night(user, day, source, staged)

    def _minutes(self, identity: str) -> dict[str, float]:
        minutes: dict[str, float] = {}
        for (start, end), column in self._stages.get(identity, {}).items():
            minutes[column] = minutes.get(column, 0.0) + (end - start).total_seconds() / 60
        return minutes

    def _newer(self, log: dict[str, Any]) -> tuple[date, str, Night]:
        offsets = (log.get("end_utc_offset"), log.get("start_utc_offset"))
        end = local_of(parse_aware(log["sleep_end"]), offsets, self._zone)
        start = log.get("sleep_start")
        night = Night(
            hours=(parsing.parse_amount(log["minutes_asleep"]) or 0.0) / 60,
            start=local_of(parse_aware(start), offsets[::-1], self._zone) if start else None,
            end=end,
        )
        return check_day(end.date()), log.get("algorithm_version", ""), night


def _older(log: dict[str, Any]) -> tuple[date, str, Night]:
    day = parse_shown_day(log.get("dateOfSleep") or log.get("endTime"))
    start, end = (_shown(log.get(name)) for name in ("startTime", "endTime"))
    night = Night(
        hours=(parsing.parse_amount(log["minutesAsleep"]) or 0.0) / 60,
        start=start,
        end=end,
        stages=_summary(log.get("levels")),
    )
    return day, "", night


def _shown(stamp: object) -> datetime | None:
    """The local time that the old JSON writes without a zone."""
    if not isinstance(stamp, str) or ":" not in stamp:
        return None
    return datetime.fromisoformat(stamp).replace(tzinfo=None, microsecond=0)


def _summary(levels: object) -> dict[str, float]:
    """The minutes of the stages of the old JSON; none of a log without stages."""
    summary = levels.get("summary") if isinstance(levels, dict) else None
    if not isinstance(summary, dict) or summary.keys().isdisjoint(_ASLEEP):
        return {}
    minutes = {
        column: parsing.parse_amount(found.get("minutes"))
        for level, column in _COLUMNS.items()
        if isinstance(found := summary.get(level), dict)
    }
    return {column: value for column, value in minutes.items() if value is not None}
