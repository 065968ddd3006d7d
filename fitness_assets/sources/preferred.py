"""Which sources are preferred where imports have different values of a day or a workout."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from fitness_assets.errors import SettingsError

#: The end of the names of sources that are files of a device.
OF_DEVICE = "_fit$"

_VARIABLE = "FITNESS_SOURCE_ORDER"


@dataclass(frozen=True)
class SourceOrder:
    """An order of sources, of all measures or of one.

    Attributes
    ----------
    entries : tuple of str
        ``whoop`` prefers the format for all measures, ``sleep_hours:whoop`` for one, before all
        entries without a measure. The first comes first.
    """

    entries: tuple[str, ...] = ()

    def of_all(self) -> list[str]:
        """The formats that are preferred for all measures, the best first."""
        return [entry for entry in self.entries if ":" not in entry]

    def of_measure(self, measure: str) -> list[str]:
        """The formats that are preferred for this measure alone, the best first."""
        pairs = [entry.rpartition(":") for entry in self.entries]
        return [name for of, _, name in pairs if of == measure]

    def rank(self, source: str | None) -> int:
        """The place of `source` among those that are preferred for all measures, 0 for the best.

        Files of a device (``garmin_fit``) have the place of their service too. Sources without a
        place come last.
        """
        preferred = self.of_all()
        names = {source, re.sub(OF_DEVICE, "", source or "")}
        places = (place for place, name in enumerate(preferred) if name in names)
        return next(places, len(preferred))

    def check(self, formats: Collection[str], measures: Collection[str]) -> None:
        """Raise SettingsError if an entry names no format or no measure."""
        for entry in self.entries:
            measure, _, name = entry.rpartition(":")
            for kind, given, known in (
                ("format", name, formats),
                ("measure", measure, ("", *measures)),
            ):
                if given not in known:
                    others = ", ".join(sorted(filter(None, known)))
                    raise SettingsError(
                        f"{_VARIABLE} holds {entry!r}: {given!r} is no {kind}; there are {others}"
                    )


NO_ORDER = SourceOrder()
