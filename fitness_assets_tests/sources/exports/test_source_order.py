from pathlib import Path

import pytest

from fitness_assets.errors import SourceError
from fitness_assets.sources.exports.source_order import load, rank


def test_a_device_on_the_body_comes_before_a_phone_and_a_phone_before_others() -> None:
    names = [
        "Strava",
        "Ann\u2019s iPhone",
        "Ann\u2019s Apple\u00a0Watch",
        "MobileTrack",
        "Charge 5",
    ]
    assert sorted(names, key=rank) == [
        "Ann\u2019s Apple\u00a0Watch",
        "Charge 5",
        "Ann\u2019s iPhone",
        "MobileTrack",
        "Strava",
    ]


def test_a_declared_order_comes_first() -> None:
    names = ["Ann\u2019s Watch", "iPhone", "Oura"]
    assert sorted(names, key=lambda name: rank(name, ("oura", "IPHONE"))) == [
        "Oura",
        "iPhone",
        "Ann\u2019s Watch",
    ]


def test_an_order_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "sources.toml"
    path.write_text('order = ["Oura", "watch"]\n')
    assert load(path) == ("Oura", "watch")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("order = [", "cannot be read as TOML"),
        ("order = 3", "needs the key order"),
        ('sources = ["watch"]', "needs the key order"),
        ('order = ["watch", 3]', "order holds 3"),
        ('order = [""]', "order holds ''"),
    ],
)
def test_a_file_that_is_no_order_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "sources.toml"
    path.write_text(text)
    with pytest.raises(SourceError, match=f"sources.toml.* {reason}"):
        load(path)
