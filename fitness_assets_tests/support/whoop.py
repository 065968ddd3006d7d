"""WHOOP's workouts.csv, for tests of workouts of one user."""

from pathlib import Path

HEADER = (
    "Cycle start time,Cycle end time,Cycle timezone,Workout start time,Workout end time,"
    "Duration (min),Activity name,Energy burned (cal),Max HR (bpm),Average HR (bpm),"
    "Distance (meters)"
)


def write_workouts(path: Path, *rows: str) -> Path:
    """Write workouts, each as ``start,minutes,name,kcal,greatest rate,mean rate,metres``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = []
    for row in rows:
        start, rest = row.split(",", 1)
        lines.append(f"2023-03-01 23:00:00,,UTC+01:00,{start},{start},{rest}")
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path
