"""The unit of body weights that do not state it, inferred from the body mass index next to them.

Weight / body mass index is the square of the height: in m² for kilograms, and larger or smaller by
the factor of another unit. Users are between 1.45 and 2.1 m tall, so the ranges of kilograms (2.1
to 4.4), pounds (4.6 to 9.7) and stones (0.33 to 0.69) do not overlap.
"""

import statistics
from collections.abc import Iterable

_KG, _KG_PER_POUND, _KG_PER_STONE = 1.0, 0.45359237, 6.35029318
_MIN_HEIGHT, _MAX_HEIGHT = 1.45, 2.1


def kg_per_unit(measurements: Iterable[tuple[float | None, float | None]]) -> float | None:
    """The kilograms per unit of the weights of one account.

    Parameters
    ----------
    measurements : iterable of (float, float)
        Weights and body mass indexes; zero or None for missing ones.

    Returns
    -------
    float or None
        None if no weight has a body mass index, or the height fits no unit.
    """
    squares = [weight / index for weight, index in measurements if weight and index]
    if not squares:
        return None
    square = statistics.median(squares)
    for factor in (_KG, _KG_PER_POUND, _KG_PER_STONE):
        if _MIN_HEIGHT**2 <= square * factor <= _MAX_HEIGHT**2:
            return factor
    return None
