"""Which of several sources is preferred where they measured the same time.

A user can declare an order in a TOML file: parts of the names of sources, most preferred first.

order = ["Oura", "watch", "phone"]
"""

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

from fitness_assets.errors import SourceError
from fitness_assets.regular_files import read_text
from fitness_assets.sources.exports.layout import MAX_TOML_BYTES
from fitness_assets.text import shorten

# A device on the body misses less than a phone, which lies on a table for part of the day. Apps
# and other sources may copy either of them.
_WEARABLE = re.compile(
    r"watch|\b(band|charge|versa|sense|inspire|luxe|alta|ionic|flex|ring|tracker)\b"
)
_PHONE = re.compile(r"phone|mobile|\bpixel\b|\bgalaxy\b")


def rank(name: str, order: Sequence[str] = ()) -> int:
    """The rank of a source; the lowest is preferred.

    Parts of `order` come first, then devices on the body, phones, and all others. Case is ignored.

    Parameters
    ----------
    name : str
        Name of the source, with that of its device if it is known.
    order : sequence of str
        Parts of names, most preferred first.
    """
    folded = name.casefold()
    for place, part in enumerate(order):
        if part.casefold() in folded:
            return place
    if _WEARABLE.search(folded):
        return len(order)
    return len(order) + (1 if _PHONE.search(folded) else 2)


def load(path: Path) -> tuple[str, ...]:
    """The order in a TOML file.

    Raises
    ------
    SourceError
        With the path, and what is wrong.
    """
    try:
        declared = tomllib.loads(read_text(path, MAX_TOML_BYTES))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} cannot be read as TOML: {error}") from error
    order = declared.get("order")
    if declared.keys() != {"order"} or not isinstance(order, list):
        raise SourceError(f'{path} needs the key order, a list such as ["watch", "phone"]')
    for part in order:
        if not isinstance(part, str) or not part.strip():
            raise SourceError(f"{path}: order holds {shorten(part)}, which is not a part of a name")
    return tuple(order)
