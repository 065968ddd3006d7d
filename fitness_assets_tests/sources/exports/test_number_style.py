from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.number_style import (
    DecimalDetector,
    number_column,
    to_point,
)

COLUMNS = {name: number_column(name) for name in ("steps", "distance_km", "calories_burned")}


def sign(**cells: list[str]) -> str:
    detector = DecimalDetector({name: each for name, each in COLUMNS.items() if each})
    for name, texts in cells.items():
        for line, text in enumerate(texts, start=2):
            detector.add(f"line {line}", name, text)
    return detector.sign("x.csv")


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ({}, "."),
        ({"steps": ["9120", "12"]}, "."),
        # One cell says it for all columns.
        ({"steps": ["9.120"], "distance_km": ["7,25"]}, ","),
        ({"calories_burned": ["2.345"], "distance_km": ["0,900"]}, ","),
        ({"distance_km": ["7.125", "8.05"]}, "."),
        # Whole numbers have thousands and no fraction.
        ({"steps": ["9.120"]}, ","),
        ({"steps": ["9,120"]}, "."),
        # Unless another cell of the same column has a fraction.
        ({"steps": ["120.000", "9120.000"]}, "."),
        # Seven thousand km are not walked in a day.
        ({"distance_km": ["7,125"]}, ","),
        ({"distance_km": ["7.125"]}, "."),
        ({"calories_burned": ["1.234,5"]}, ","),
        ({"calories_burned": ["1,234,567"]}, "."),
        ({"calories_burned": ["1 234,5"]}, ","),
        # Either reading is plausible: the point is the decimal sign.
        ({"calories_burned": ["2,345"]}, "."),
        ({"calories_burned": ["2.345"]}, "."),
        ({"calories_burned": ["many", "1,2,3", ""]}, "."),
    ],
)
def test_the_sign_is_decided_from_all_cells(cells: dict[str, list[str]], expected: str) -> None:
    assert sign(**cells) == expected


@pytest.mark.parametrize(
    "cells",
    [
        {"distance_km": ["7,25", "8.5"]},
        {"steps": ["9.120"], "distance_km": ["7.25"]},
        {"steps": ["9,120", "9.120"]},
    ],
)
def test_a_file_that_mixes_signs_is_refused_with_two_of_its_cells(
    cells: dict[str, list[str]],
) -> None:
    with pytest.raises(SourceError, match=r"x\.csv mixes decimal signs: '.*' \(line 2\)"):
        sign(**cells)


def german(value: float, digits: int) -> str:
    return f"{value:,.{digits}f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("write", "expected"), [(lambda value, digits: f"{value:,.{digits}f}", "."), (german, ",")]
)
@given(
    st.lists(
        st.tuples(st.integers(0, 99_999), st.integers(0, 50_000)), min_size=1, max_size=20
    ).filter(lambda rows: any(steps > 999 for steps, _ in rows))
)
def test_every_number_survives_in_either_style(
    write: Callable[[float, int], str], expected: str, rows: list[tuple[int, int]]
) -> None:
    steps = [write(each, 0) for each, _ in rows]
    km = [write(each / 1000, 2) for _, each in rows]
    found = sign(steps=steps, distance_km=km)
    assert found == expected
    for (count, meters), steps_text, km_text in zip(rows, steps, km, strict=True):
        for text, value in ((steps_text, count), (km_text, round(meters / 1000, 2))):
            point = to_point(text, found).replace(",", "")
            assert float(point) == pytest.approx(value, abs=0.005)


def test_a_number_of_another_style_is_not_an_amount() -> None:
    with pytest.raises(ValueError, match=r"'12\.34' is not an amount with a decimal comma"):
        to_point("12.34", ",")
