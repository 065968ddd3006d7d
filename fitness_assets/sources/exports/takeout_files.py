"""The streams of a Google Takeout's Fitbit files, by file name or by CSV header."""

import re

from fitness_assets.sources.exports.tables import csv_header

_JSON_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|resting_heart_rate|sleep|exercise|weight|height"
    r"|sedentary_minutes|moderately_active_minutes|very_active_minutes)"
    r"-[\d-]+( ?\(\d+\))?\.json$"
)
_CSV_NAME = re.compile(
    r"(?:^|/)(steps|distance|calories|heart_rate|daily_resting_heart_rate|UserSleeps|weight|height"
    r"|active_minutes|UserExercises)(_[\d-]+)?( ?\(\d+\))?\.csv$"
)
# Streams whose newer files have another name.
_NEWER_NAMES = {
    "daily_resting_heart_rate": "resting_heart_rate",
    "UserSleeps": "sleep",
    "UserExercises": "exercise",
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
}
_CSV_HEADERS = (
    {"timestamp", _SOURCE},
    *({"timestamp", *columns} for columns in VALUE_COLUMNS.values()),
    {"sleep_id", "minutes_asleep", "sleep_end"},
    {"exercise_id", "exercise_start", "activity_name"},
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
    return None
