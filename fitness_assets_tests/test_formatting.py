"""Numbers as text: a table of what each function writes."""

import ast
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fitness_assets import formatting
from fitness_assets.record.raw import NUMBERS
from fitness_assets.record.units import IMPERIAL, METRIC, Units

MINUS = "\N{MINUS SIGN}"
_ROOT = Path(formatting.__file__).parents[1]
#: Rooms whose texts are read by people, in views, reports, metadata and on the terminal.
_ROOMS = [
    "dashboard",
    *(
        f"fitness_assets/{room}"
        for room in ("answers", "assets", "cli", "etl", "history", "orchestration", "release")
    ),
    "fitness_assets/models/cards.py",
    "fitness_assets/models/explanations.py",
    "fitness_assets/models/gates.py",
    "fitness_assets/web",
]
#: Formats of numbers that are not read as such.
_EXCEPTIONS = {
    "fitness_assets/answers/model_answer.py": "rounds a number of a JSON document",
    "fitness_assets/answers/questions.py": "rounds a number of a JSON document",
    "fitness_assets/etl/distributed.py": "name of a file",
    "fitness_assets/release/parts.py": "name of a file",
}
_NUMBER_FORMAT = re.compile(r"(.?[<>=^])?[-+ ]?z?#?0?\d*[,_]?(\.\d+)?[deEfFgGn%]?")


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
        (formatting.signed_percent, (0.003,), "+0.3%"),
        (formatting.signed_percent, (0.0,), "±0%"),
        (formatting.change, (7.24, 7.26, 1), "+0.1"),
        (formatting.change, (7.16, 7.24, 1), "±0"),
        (formatting.change, (1_200.4, 999.6), f"{MINUS}200"),
        (formatting.change, (math.nan, 1.0, 1), "no data"),
        (formatting.significant, (0.01234,), "0.0123"),
        (formatting.significant, (0.0000012, 2), "0.0000012"),
        (formatting.significant, (1_234_567.8,), "1,234,568"),
        (formatting.significant, (-1.50,), f"{MINUS}1.5"),
        (formatting.significant, (0.0,), "0"),
        (formatting.significant, (None,), "no data"),
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


def number_formats(source: str) -> Iterator[str]:
    """Numbers that `source` formats without `formatting`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for before, part in zip([None, *node.values], node.values, strict=False):
                if isinstance(part, ast.FormattedValue):
                    spec = _specification(part)
                    if _NUMBER_FORMAT.fullmatch(spec) and re.search(r"[-+,.%a-zA-Z]", spec):
                        yield f"line {part.lineno}: {spec}"
                elif isinstance(before, ast.FormattedValue) and re.match(
                    " ?%", ast.unparse(part)[1:]
                ):
                    yield f"line {node.lineno}: a percentage"
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            if isinstance(node.left, ast.Constant) and isinstance(node.left.value, str):
                yield f"line {node.lineno}: the operator %"
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "format":
            yield f"line {node.lineno}: format()"


def _specification(part: ast.FormattedValue) -> str:
    values = getattr(part.format_spec, "values", [])
    return "".join(str(each.value) if isinstance(each, ast.Constant) else "9" for each in values)


@pytest.mark.parametrize("room", _ROOMS)
def test_texts_have_no_number_formats_of_their_own(room: str) -> None:
    place = _ROOT / room
    found = {
        name: formats
        for path in ([place] if place.is_file() else sorted(place.rglob("*.py")))
        if (name := str(path.relative_to(_ROOT))) not in _EXCEPTIONS
        and (formats := list(number_formats(path.read_text("utf-8"))))
    }
    assert not found


@pytest.mark.parametrize(
    "text",
    [
        'f"{a:,}"',
        'f"{a:.1f} h"',
        'f"{a:.{digits}g}"',
        'f"{a:>9,}"',
        'f"{a:+d}"',
        'f"{a:.0%}"',
        'f"{a} %"',
        'f"{a}%"',
        '"%.1f" % a',
        'format(a, ",")',
    ],
)
def test_a_number_format_is_found(text: str) -> None:
    assert list(number_formats(text))


@pytest.mark.parametrize(
    "text", ['f"{a}"', 'f"{a:>9}"', 'f"{a:<{width}}"', 'f"{day:%-d %b %Y}"', 'f"{number(a)} h"']
)
def test_other_formats_are_not_found(text: str) -> None:
    assert not list(number_formats(text))
