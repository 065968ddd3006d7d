"""Numbers as text: a table of what each function writes."""

import math
from collections.abc import Callable

import pytest

from fitness_assets import formatting
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import IMPERIAL, METRIC, Units

MINUS = "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (formatting.number, (0,), "0"),
        (formatting.number, (-0.0,), "0"),
        (formatting.number, (-0.04, 1), "0.0"),
        (formatting.number, (10_000,), "10,000"),
        (formatting.number, (29_712.0,), "29,712"),
        (formatting.number, (6e6,), "6,000,000"),
        (formatting.number, (-1234.56, 1), f"{MINUS}1,234.6"),
        (formatting.number, (None,), "no data"),
        (formatting.number, (math.nan, 2), "no data"),
        (formatting.signed, (1200,), "+1,200"),
        (formatting.signed, (-14.2,), f"{MINUS}14"),
        (formatting.signed, (-0.04, 1), "±0"),
        (formatting.signed, (0.0,), "±0"),
        (formatting.signed, (1234.4,), "+1,234"),
        (formatting.signed, (-0.06, 1), f"{MINUS}0.1"),
        (formatting.signed, (math.nan,), "no data"),
        (formatting.percent, (0.8549,), "85%"),
        (formatting.percent, (0.8549, 1), "85.5%"),
        (formatting.percent, (0,), "0%"),
        (formatting.percent, (1,), "100%"),
        (formatting.percent, (0.001,), "<1%"),
        (formatting.percent, (0.0001, 1), "<0.1%"),
        (formatting.percent, (0.9996,), ">99%"),
        (formatting.percent, (0.9996, 1), ">99.9%"),
        (formatting.percent, (12.5,), "1,250%"),
        (formatting.percent, (math.nan,), "no data"),
        (formatting.signed_percent, (0.06,), "+6%"),
        (formatting.signed_percent, (-0.123,), f"{MINUS}12%"),
        (formatting.signed_percent, (-0.0001,), "±0%"),
        (formatting.signed_percent, (None,), "no data"),
        (formatting.plural, (1, "day"), "1 day"),
        (formatting.plural, (0, "day"), "0 days"),
        (formatting.plural, (1200, "day"), "1,200 days"),
        (formatting.plural, (2, "person", "people"), "2 people"),
        (formatting.large, (0,), "0"),
        (formatting.large, (61_234.4,), "61,234"),
        (formatting.large, (4_200_000,), "4.2 million"),
        (formatting.large, (1_260_000_000,), "1.3 billion"),
        (formatting.large, (999_999_999,), "1.0 billion"),
        (formatting.size, (1,), "1 byte"),
        (formatting.size, (999,), "999 bytes"),
        (formatting.size, (1_000,), "1 kB"),
        (formatting.size, (24_567,), "24.6 kB"),
        (formatting.size, (999_999,), "1 MB"),
        (formatting.size, (7_340_032,), "7.34 MB"),
        (formatting.size, (24_635,), "24.6 kB"),
        (formatting.size, (1_227_774_500,), "1.23 GB"),
        (formatting.size, (690_000_000,), "690 MB"),
        (formatting.size, (5.1e15,), "5,100 TB"),
        (formatting.seconds, (0,), "0 s"),
        (formatting.seconds, (0.0031,), "3.1 ms"),
        (formatting.seconds, (1.234,), "1.23 s"),
        (formatting.seconds, (125,), "2 min 5 s"),
        (formatting.seconds, (120,), "2 min"),
        (formatting.seconds, (None,), "no data"),
        (formatting.minutes, (45,), "45 min"),
        (formatting.minutes, (60,), "1 h"),
        (formatting.minutes, (712.4,), "11 h 52 min"),
        (formatting.minutes, (-90,), f"{MINUS}1 h 30 min"),
        (formatting.minutes, (-0.2,), "0 min"),
        (formatting.minutes, (math.nan,), "no data"),
        (formatting.times, (61.4,), "61 times"),
        (formatting.times, (1.44,), "1.44 times"),
        (formatting.joined, ([],), ""),
        (formatting.joined, (["steps"],), "steps"),
        (formatting.joined, (["steps", "sleep", "energy"],), "steps, sleep and energy"),
    ],
)
def test_a_number_is_written_in_one_way(
    function: Callable[..., str], arguments: tuple[object, ...], expected: str
) -> None:
    assert function(*arguments) == expected


@pytest.mark.parametrize(
    ("system", "name", "value", "expected"),
    [
        (METRIC, "steps", 10_000.0, "10,000"),
        (METRIC, "distance_km", -0.04, "0.0 km"),
        (METRIC, "weight_kg", 100.0, "100.0 kg"),
        (METRIC, "sleep_hours", math.nan, "no data"),
        (IMPERIAL, "distance_km", 10.0, "6.2 mi"),
        (IMPERIAL, "weight_kg", 100.0, "220.5 lb"),
        (IMPERIAL, "height_cm", 180.0, "71 in"),
        (IMPERIAL, "steps", 10_000.0, "10,000"),
    ],
)
def test_a_measured_value_is_written_in_the_chosen_units(
    system: str, name: str, value: float, expected: str
) -> None:
    assert Units(system).text(name, value) == expected


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1e-9, 0.0, 1.0, 999.9999, 1e6, math.nan])
@pytest.mark.parametrize("system", [METRIC, IMPERIAL])
def test_no_value_is_a_negative_zero_or_nan(system: str, name: str, value: float) -> None:
    text = Units(system).text(name, value)
    assert "nan" not in text
    assert "-" not in text
    assert MINUS not in text
