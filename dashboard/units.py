"""The labels of features."""

from dashboard.text import label
from fitness_assets.record.raw import NUMBERS

# Prefix of the share of a user's past days with an activity. `activity.PAST` is not imported, since
# its module imports scikit-learn.
_PAST_SHARE = "past_"


def feature_label(name: str) -> str:
    """The label of a model's feature: "Usual energy (28-day mean)", "Day of week"."""
    if name in NUMBERS:
        return NUMBERS[name].label
    if name.startswith(_PAST_SHARE):
        return f"Share of past days: {label(name.removeprefix(_PAST_SHARE)).lower()}"
    measured, mean, days = name.partition("_mean_")
    if mean and measured in NUMBERS:
        return f"Usual {NUMBERS[measured].label.lower()} ({days.removesuffix('d')}-day mean)"
    return label(name)
