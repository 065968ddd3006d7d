import pytest

from fitness_assets.record.activities import activity


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("Running", "running"),
        ("TraditionalStrengthTraining", "gym_workout"),
        ("HighIntensityIntervalTraining", "gym_workout"),
        ("Outdoor Bike", "cycling"),
        ("lap_swimming", "swimming"),
        ("YOGA", "yoga"),
        ("StairClimbing", "stair_climbing"),
        ("Kitesurfing / foil", "kitesurfing_foil"),
        ("  ", None),
    ],
)
def test_activities_get_canonical_names(name: str, canonical: str | None) -> None:
    assert activity(name) == canonical
