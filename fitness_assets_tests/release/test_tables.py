"""What a release tells of segments from one month to the next."""

import pytest

from fitness_assets.release.tables import called_now


def members(**users: str) -> dict[str, str]:
    """Name of the segment of each user: a letter is a user."""
    return {user: name.replace("_", " ") for name, told in users.items() for user in told}


def test_a_segment_is_known_by_its_users_whatever_it_is_called() -> None:
    before = members(Many_steps="abcde", Quiet_weekends="fghij")
    now = members(Long_sleep="abcdf", Many_steps="eghij")
    assert called_now(before, now) == {"Many steps": "Long sleep", "Quiet weekends": "Many steps"}


def test_a_segment_that_is_no_more_is_not_taken_for_its_namesake() -> None:
    before = members(Few_steps="abcdef", Many_steps="ghi")
    now = members(Few_steps="gh", Long_sleep="abi", Short_sleep="cdx", High_energy="efy")
    assert called_now(before, now) == {"Few steps": "Few steps (then)", "Many steps": "Few steps"}
    now = members(Long_sleep="abg", Short_sleep="cdh", High_energy="efi")
    assert called_now(before, now) == {"Few steps": "Few steps", "Many steps": "Many steps"}


@pytest.mark.parametrize("now", [{}, {"z": "Few steps"}])
def test_nobody_in_both_months_tells_nothing(now: dict[str, str]) -> None:
    before = members(Many_steps="abc")
    assert called_now(before, now) == {"Many steps": "Many steps"}
    assert called_now({}, now) == {}
