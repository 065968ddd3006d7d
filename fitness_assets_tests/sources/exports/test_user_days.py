"""Values of one user: precedence, sources, readings, nights and times as exports write them."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports import user_days
from fitness_assets.sources.exports.options import ImportOptions
from fitness_assets.sources.exports.user_days import UserDays, night_of
from fitness_assets.sources.exports.written_times import parse_offset, parse_shown, parse_stamp

DAY = date(2026, 1, 3)
NOON = datetime.fromisoformat("2026-01-03 12:00:00")


at = datetime.fromisoformat


def days(**options: object) -> UserDays:
    return UserDays("format", "A format", ImportOptions(**{"user": "ann", **options}))  # type: ignore[arg-type]


def record(collected: UserDays) -> dict[str, object]:
    (batch,) = collected.record_batches(lambda *_: None)
    (row,) = batch.to_pylist()
    return {name: value for name, value in row.items() if value is not None}


def test_the_lowest_precedence_then_the_largest_value_is_kept() -> None:
    collected = days()
    for value, precedence in ((9, 2), (5, 1), (6, 1), (7, 2)):
        collected.state(DAY, {"steps": value}, precedence)
    assert record(collected)["steps"] == 6


@pytest.mark.parametrize(("order", "steps"), [((), 300), (("phone",), 200)])
def test_amounts_of_one_source_are_added_and_others_are_not(
    order: tuple[str, ...], steps: int
) -> None:
    collected = days(source_order=order)
    for source, amount in (("a watch", 100), ("a watch", 200), ("a phone", 200)):
        collected.add_amount(DAY, "steps", amount, source)
    assert record(collected)["steps"] == steps


def test_readings_are_averaged_and_zeros_are_missing() -> None:
    collected = days()
    for value in (95.0, 0.0, 97.0):
        collected.add_reading(DAY, "spo2", value)
        collected.add_heart_rate(NOON, value)
    found = record(collected)
    assert (found["spo2"], found["heart_rate_avg"]) == (96, 96)


def test_the_values_of_a_user_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_days, "MAX_VALUES", 3)
    collected = days()
    for number in range(3):
        collected.add_reading(DAY, "spo2", 95.0, str(number))
        collected.add_heart_rate(NOON.replace(hour=number), 60.0)
    with pytest.raises(SourceError, match="more than 3 values"):
        collected.add_reading(DAY, "spo2", 95.0, "another source")
    with pytest.raises(SourceError, match="heart rates of more than 3 hours"):
        collected.add_heart_rate(NOON.replace(hour=4), 60.0)


def test_a_night_that_is_delivered_twice_counts_once() -> None:
    collected = days()
    night = night_of(at("2026-01-02 23:00:00"), at("2026-01-03 06:00:00"), {})
    collected.add_night(DAY, night)
    collected.add_night(DAY, night)
    assert record(collected)["sleep_hours"] == 7


def test_an_offset_gives_the_local_time_and_the_zone_where_there_is_none() -> None:
    collected = days(zone=ZoneInfo("Asia/Tokyo"))
    assert collected.local(1_767_398_400, 3600) == at("2026-01-03 01:00:00")
    assert collected.local(1_767_398_400) == at("2026-01-03 09:00:00")
    assert collected.local_of("2026-01-03T00:00:00+01:00") == at("2026-01-03 00:00:00")
    assert collected.local_of("2026-01-03T00:00:00Z") == at("2026-01-03 09:00:00")


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("2026-01-05 22:55:00", "ymd"),
        ("05.01.2026, 22:55", "dmy"),
        ("Jan 5, 2026, 10:55:00 PM", "ymd"),
        ("Jan 5, 2026, 10:55:00\u202fPM", "mdy"),
        ("5 Jan 2026, 22:55:00", "ymd"),
    ],
)
def test_times_are_read_as_they_are_written(text: str, order: str) -> None:
    assert parse_shown(text, order) == at("2026-01-05 22:55:00")


@pytest.mark.parametrize("text", ["", "2026-01-05", "13:00 PM", "Foo 5, 2026, 10:55", "25:00"])
def test_what_is_not_a_time_is_refused(text: str) -> None:
    for parse in (parse_shown, parse_stamp):
        with pytest.raises(ValueError, match="is not a timestamp"):
            parse(text)


def test_offsets_are_read_in_all_spellings() -> None:
    texts = ("UTC+0530", "+05:30", "-08:00", "UTCZ", "Z", "")
    assert [parse_offset(text) for text in texts] == [19_800, 19_800, -28_800, 0, 0, None]
    with pytest.raises(ValueError, match="is not an offset"):
        parse_offset("UTC+99")
