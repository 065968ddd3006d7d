"""The quantities of an Apple Health export, and what is kept of their records."""

from collections import defaultdict

from fitness_assets.sources.exports.aggregate import DayAggregator
from fitness_assets.sources.exports.apple_workouts import ENERGY, LENGTH, RATE, TIME
from fitness_assets.sources.exports.intraday import DayAmounts
from fitness_assets.sources.exports.stamps import day_of

_OXYGEN_UPTAKE = dict.fromkeys(("mL/min·kg", "ml/min·kg", "mL/kg·min", "ml/(kg*min)"), 1.0)
_MASS = {"kg": 1.0, "g": 0.001, "lb": 0.45359237, "st": 6.35029318, "oz": 0.028349523}
_HEIGHT = {"cm": 1.0, "m": 100.0, "in": 2.54, "ft": 30.48}
#: By type, the metric and the factor from each unit.
QUANTITIES = {
    "HKQuantityTypeIdentifierStepCount": ("steps", {"count": 1.0}),
    "HKQuantityTypeIdentifierDistanceWalkingRunning": ("distance_km", LENGTH),
    "HKQuantityTypeIdentifierActiveEnergyBurned": ("active_kcal", ENERGY),
    "HKQuantityTypeIdentifierBasalEnergyBurned": ("basal_kcal", ENERGY),
    "HKQuantityTypeIdentifierAppleExerciseTime": ("active_minutes", TIME),
    "HKQuantityTypeIdentifierHeartRate": ("heart_rate_avg", RATE),
    "HKQuantityTypeIdentifierRestingHeartRate": ("resting_heart_rate", RATE),
    "HKQuantityTypeIdentifierBodyMass": ("weight_kg", _MASS),
    "HKQuantityTypeIdentifierHeight": ("height_cm", _HEIGHT),
    "HKQuantityTypeIdentifierHeartRateVariabilitySDNN": ("hrv_sdnn", {"ms": 1.0, "s": 1000.0}),
    "HKQuantityTypeIdentifierOxygenSaturation": ("spo2", {"%": 1.0}),
    "HKQuantityTypeIdentifierRespiratoryRate": ("respiration_rate", RATE),
    "HKQuantityTypeIdentifierVO2Max": ("vo2_max", _OXYGEN_UPTAKE),
    "HKQuantityTypeIdentifierFlightsClimbed": ("floors", {"count": 1.0}),
}
_SUMMED = {"steps", "distance_km", "active_kcal", "basal_kcal", "active_minutes", "floors"}
# Averaged over the readings of one source.
_AVERAGED = {"hrv_sdnn", "spo2", "respiration_rate", "vo2_max"}
#: Memory of the values of one export, in bytes. 15 years of five amounts by three devices, with a
#: heart rate in every hour, take 130 MB.
MAX_VALUES_BYTES = 200_000_000
_DAY_BYTES, _HOUR_BYTES = 1_000, 160
#: Memory of one stage of sleep, one day of the watch's rings and one workout, in bytes.
INTERVAL_BYTES, SUMMARY_BYTES, WORKOUT_BYTES = 260, 500, 800
DAY_MINUTES, _HOUR_MINUTES = 1440, 60


class Budget:
    """The memory that the values of an export may still take, in bytes."""

    def __init__(self) -> None:
        self._left = MAX_VALUES_BYTES

    def take(self, size: int) -> None:
        """Take `size` bytes; ValueError if there are not so many left."""
        if size > self._left:
            raise ValueError(
                f"the days of all sources would take more than {MAX_VALUES_BYTES:,} bytes"
            )
        self._left -= size

    def new_day(self) -> DayAmounts:
        """The amounts of one day."""
        self.take(_DAY_BYTES)
        return DayAmounts()

    def new_mean(self) -> list[float]:
        """A sum and a number of values."""
        self.take(_HOUR_BYTES)
        return [0.0, 0.0]


class Series:
    """The records of one type by one source in one unit.

    Parameters
    ----------
    metric : str
    factor : float
        From the unit to that of the metric.
    source : str
    device : str
        Name of the source and its device.
    budget : Budget
    """

    def __init__(
        self, metric: str, factor: float, source: str, device: str, budget: Budget
    ) -> None:
        self.metric = metric
        self.factor = factor
        self.source = source
        self.device = device
        self.count = 0
        self.is_summed = metric in _SUMMED
        #: Minutes over which values are averaged.
        self.width = _HOUR_MINUTES if metric == "heart_rate_avg" else DAY_MINUTES
        #: Amounts by local day since 1970, of a metric that is summed.
        self.amounts: dict[int, DayAmounts] = defaultdict(budget.new_day)
        #: Sum and number of values by `width` since 1970, of a metric that is averaged.
        self.means: dict[int, list[float]] = defaultdict(budget.new_mean)

    def add_to(self, user: str, days: DayAggregator) -> None:
        """Add all values to `days`."""
        for number, amounts in self.amounts.items():
            day = day_of(number * DAY_MINUTES)
            days.add_amounts(user, day, self.metric, amounts, self.source, self.device)
        for number, (total, count) in self.means.items():
            minute = number * self.width
            if self.width == _HOUR_MINUTES:
                hour = minute % DAY_MINUTES // _HOUR_MINUTES
                days.add_heart_rates(user, day_of(minute), hour, self.source, total, int(count))
            elif self.metric in _AVERAGED:
                # Oxygen "in %" is a fraction, except in records of some apps.
                is_fraction = self.metric == "spo2" and total <= count
                amount = total * 100 if is_fraction else total
                days.add_readings(
                    user, day_of(minute), self.metric, self.source, amount, int(count)
                )
            else:
                days.add_daily_values(user, day_of(minute), {self.metric: total / count})
