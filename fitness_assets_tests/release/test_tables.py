"""The names of segments from one month to the next."""

import pandas as pd
import pytest

from fitness_assets.release import tables
from fitness_assets.release.tables import current_names


def members(**users: str) -> dict[str, str]:
    """Name of the segment of each user: a letter is a user."""
    return {user: name.replace("_", " ") for name, letters in users.items() for user in letters}


def test_segments_are_matched_by_their_users_and_not_by_name() -> None:
    previous = members(Many_steps="abcde", Quiet_weekends="fghij")
    current = members(Long_sleep="abcdf", Many_steps="eghij")
    assert current_names(previous, current) == {
        "Many steps": "Long sleep",
        "Quiet weekends": "Many steps",
    }


def test_an_unmatched_segment_is_not_confused_with_another_of_its_name() -> None:
    previous = members(Few_steps="abcdef", Many_steps="ghi")
    current = members(Few_steps="gh", Long_sleep="abi", Short_sleep="cdx", High_energy="efy")
    assert current_names(previous, current) == {
        "Few steps": "Few steps (then)",
        "Many steps": "Few steps",
    }
    current = members(Long_sleep="abg", Short_sleep="cdh", High_energy="efi")
    assert current_names(previous, current) == {
        "Few steps": "Few steps",
        "Many steps": "Many steps",
    }


@pytest.mark.parametrize("current", [{}, {"z": "Few steps"}])
def test_without_common_users_names_are_kept(current: dict[str, str]) -> None:
    previous = members(Many_steps="abc")
    assert current_names(previous, current) == {"Many steps": "Many steps"}
    assert current_names({}, current) == {}


def test_movement_counts_users_by_the_names_of_both_segments() -> None:
    users = pd.DataFrame(
        {
            "before": ["calm", "calm", "calm", None, "busy"],
            "segment_name": ["calm", "busy", "busy", "busy", None],
        }
    )
    assert tables.movement(users).to_dict("records") == [
        {"before": "calm", "segment": "busy", "users": 2},
        {"before": "calm", "segment": "calm", "users": 1},
    ]
