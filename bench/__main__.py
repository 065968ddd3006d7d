"""Run the parts that are named, or all of them."""

import sys

from rich.console import Console

from bench import parts


def main(names: list[str]) -> int:
    """Print the tables of each part as they are done."""
    console = Console(width=120)
    unknown = [name for name in names if name not in parts.PARTS]
    if unknown:
        console.print(f"no part {', '.join(unknown)}; there are {', '.join(parts.PARTS)}")
        return 2
    console.print(parts.machine())
    for name in names or list(parts.PARTS):
        for table in parts.PARTS[name]():
            console.print(table)
    return 0


sys.exit(main(sys.argv[1:]))
