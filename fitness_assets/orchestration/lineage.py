"""What each asset is made from: its inputs, the months of each, and settings.

Partition mappings derive from the inputs.
"""

from dataclasses import dataclass

from fitness_assets import months
from fitness_assets.history.schema import MAX_MONTHS
from fitness_assets.models.registry import FORESTS, MODELS
from fitness_assets.release.people import Privacy

#: Number of months that a model is trained on: its own month and up to five before it.
TRAILING_WINDOW = 6


@dataclass(frozen=True)
class Window:
    """The months of an input, relative to the month of the asset; both ends included."""

    first: int
    last: int = 0

    def of(self, month: str) -> list[str]:
        """The months that an asset of `month` reads."""
        return [months.shift(month, offset) for offset in range(self.first, self.last + 1)]


#: Assets that take long and are materialized only on request.
ON_DEMAND = ("compression_report",)

#: What `raw_telemetry` reads. It is not an asset; only imports know their version without reading.
SOURCE = "source"
#: What `workouts` reads of the source.
WORKOUT_SOURCE = "workout_source"
SOURCES = (SOURCE, WORKOUT_SOURCE)
#: The assets that are read from the source and stored in the lake.
LAKE = frozenset({"raw_telemetry", "daily_activity", "workouts"})

MONTH = Window(0)
MONTH_AND_PREVIOUS = Window(-1)
PREVIOUS_MONTH = Window(-1, -1)
TRAILING = Window(1 - TRAILING_WINDOW)
HISTORY = Window(1 - MAX_MONTHS)

#: Windows of the inputs of each asset, upstream assets first.
INPUTS: dict[str, dict[str, Window]] = {
    "raw_telemetry": {SOURCE: MONTH},
    # Baselines include days of the month before.
    "daily_activity": {"raw_telemetry": MONTH_AND_PREVIOUS},
    "workouts": {WORKOUT_SOURCE: MONTH},
    **{
        spec.name: {"daily_activity": TRAILING, **dict.fromkeys(spec.dependencies, MONTH)}
        for spec in MODELS
    },
    "person_history": {"daily_activity": HISTORY},
    # The models of the month before were not trained on this one.
    "model_backtest": {
        "daily_activity": TRAILING,
        **{spec.name: PREVIOUS_MONTH for spec in FORESTS},
    },
    "compression_report": {"daily_activity": TRAILING, "calorie_regressor": MONTH},
    # Days, segments and scores are compared with those of the month before.
    "dashboard_release": {
        # The release shows how many records were delivered, and which files could not be read.
        "raw_telemetry": MONTH,
        "daily_activity": MONTH_AND_PREVIOUS,
        "workouts": MONTH,
        "person_history": MONTH,
        **{spec.name: MONTH_AND_PREVIOUS for spec in MODELS},
        "model_backtest": MONTH,
        "compression_report": MONTH,
    },
    "drive_upload": {"dashboard_release": MONTH},
}

#: Smaller windows of the inputs of an asset, if its content says that it read no other months: a
#: month of a large home has no findings of its users' years.
SUMMARIES_ONLY = {"person_history": {"daily_activity": MONTH_AND_PREVIOUS}}

#: The setting that decides where releases have rows of people.
RELEASE_PEOPLE = "FITNESS_RELEASE_PEOPLE"
#: The setting with the smallest number of people in a published cell and in a part of a model.
SMALLEST_CELL = "FITNESS_SMALLEST_CELL"
#: Settings that manifests record among the inputs.
SETTINGS = (RELEASE_PEOPLE, SMALLEST_CELL)

_MODEL_NAMES = {spec.name for spec in MODELS}


def settings_of(asset: str, privacy: Privacy) -> dict[str, str]:
    """The effective values of the settings that the content of `asset` depends on.

    An upload depends on them too: it also publishes the private bundle, or removes it. The smallest
    cell has no effect on a release in which rows of people are public.
    """
    cell = {SMALLEST_CELL: str(privacy.smallest_cell)}
    if asset in _MODEL_NAMES:
        return cell
    if asset in ("dashboard_release", "drive_upload"):
        return {RELEASE_PEOPLE: privacy.people, **(cell if privacy.protects else {})}
    return {}
