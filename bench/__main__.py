"""Run the named parts of the benchmark, or all of them."""

import sys

from rich.console import Console

from bench import page, parts


def main(names: list[str]) -> int:
    """Print the tables of each part, and write them to docs/benchmarks.md."""
    console = Console(width=120)
    unknown = [name for name in names if name not in parts.PARTS]
    if unknown:
        console.print(f"no part {', '.join(unknown)}; there are {', '.join(parts.PARTS)}")
        return 2
    machine = parts.machine()
    console.print(machine)
    for name in names or list(parts.PARTS):
        part = parts.PARTS[name]
        tables = []
        for table in part():
            console.print(table)
            tables.append(table)
        summary, _, _ = (part.__doc__ or "").partition("\n")
        page.write_section(name, summary, tables, machine)
    return 0


sys.exit(main(sys.argv[1:]))
