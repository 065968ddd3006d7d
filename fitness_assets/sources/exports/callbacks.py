"""The functions that a caller of the importer passes in."""

from collections.abc import Callable

#: Called for each entry that is left out, with the file, the place in the file (empty for the
#: whole file) and the reason.
Quarantine = Callable[[str, str, str], object]

#: Called while an export is read, with the bytes read so far and the bytes in total.
Progress = Callable[[int, int], object]
