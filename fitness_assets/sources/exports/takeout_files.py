"""The streams of a Google Takeout's Fitbit files, by file name or by CSV header."""

import re

from fitness_assets.sources.exports.tables import csv_header

_JSON_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|resting_heart_rate|sleep|exercise|weight|height"
    r"|sedentary_minutes|lightly_active_minutes|moderately_active_minutes|very_active_minutes"
    r"|demographic_vo2_max|run_vo2_max)"
    r"-[\d-]+( ?\(\d+\))?\.json$"
)
_CSV_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|daily_resting_heart_rate|UserSleeps|weight|height"
    r"|active_minutes|UserExercises|UserSleepStages|floors|daily_heart_rate_variability"
    r"|daily_oxygen_saturation|daily_respiratory_rate|demographic_vo2max|run_vo2max"
    r"|Daily Heart Rate Variability Summary - |Daily SpO2 - )([_\d-]+)?( ?\(\d+\))?\.csv$"
)
# Streams whose newer files have another name.
_NEWER_NAMES = {
    "daily_resting_heart_rate": "resting_heart_rate",
    "UserSleeps": "sleep",
    "UserExercises": "exercise",
    "UserSleepStages": "sleep_stages",
    "daily_heart_rate_variability": "variability",
    "Daily Heart Rate Variability Summary - ": "variability",
    "daily_oxygen_saturation": "oxygen",
    "Daily SpO2 - ": "oxygen",
    "daily_respiratory_rate": "respiration",
    "demographic_vo2max": "vo2_max",
    "run_vo2max": "vo2_max",
    "demographic_vo2_max": "vo2_max",
    "run_vo2_max": "vo2_max",
}
#: Columns of daily means, by stream: the first that a file has is read.
DAILY_COLUMNS = {
    "variability": ("average heart rate variability milliseconds", "rmssd"),
    "oxygen": ("average percentage", "average_value"),
    "respiration": ("breaths per minute",),
    "vo2_max": ("run VO2 max", "run vo2max", "demographic vo2max", "demographic VO2 max"),
}
_JSON_HEADERS = (
    re.compile(rb'"dateTime"\s*:\s*"\d\d/\d\d/\d\d \d\d:'),
    re.compile(rb'"logId"\s*:.{0,200}"(dateOfSleep|activityName|bmi)"\s*:', re.DOTALL),
)
_SOURCE = "data source"
# Value columns of the newer CSV, by stream.
VALUE_COLUMNS = {
    "steps": ("steps",),
    "distance": ("distance",),
    "calories": ("calories",),
    "heart_rate": ("beats per minute",),
    "weight": ("weight grams",),
    "height": ("height millimeters",),
    "active_minutes": ("light", "moderate", "very"),
    "floors": ("floors",),
}
_CSV_HEADERS = (
    {"timestamp", _SOURCE},
    *({"timestamp", *columns} for columns in VALUE_COLUMNS.values()),
    {"sleep_id", "minutes_asleep", "sleep_end"},
    {"exercise_id", "exercise_start", "activity_name"},
    {"sleep_id", "sleep_stage_type", "sleep_stage_start", "sleep_stage_end"},
    *({"timestamp", column} for columns in DAILY_COLUMNS.values() for column in columns),
)


def matches_header(head: bytes) -> bool:
    """Whether `head` is a JSON list with Fitbit's timestamps or logs, or a header of its CSV."""
    if head.lstrip(b"\xef\xbb\xbf \r\n").startswith(b"["):
        return any(header.search(head) for header in _JSON_HEADERS)
    names = csv_header(head)
    is_reading = names[:1] == ["timestamp"]
    return any(
        header <= set(names) and (is_reading or "timestamp" not in header)
        for header in _CSV_HEADERS
    )


def stream_of(name: str, head: bytes = b"") -> str | None:
    """The stream of a file: by its name, else by the header of a CSV; None if it is not read."""
    match = _JSON_NAME.search(name) or _CSV_NAME.search(name)
    if match is not None:
        return _NEWER_NAMES.get(match[1], match[1])
    names = set(csv_header(head)) - {_SOURCE}
    for stream, columns in VALUE_COLUMNS.items():
        if names == {"timestamp", *columns}:
            return stream
    for stream, columns in DAILY_COLUMNS.items():
        if "timestamp" in names and not names.isdisjoint(columns):
            return stream
    return "sleep_stages" if "sleep_stage_type" in names else None
