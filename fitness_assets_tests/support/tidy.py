"""Tidy CSV exports of a few days."""

from pathlib import Path

HEADER = "user_id,date,steps,calories_burned,heart_rate_avg,sleep_hours,activity_type"


def write_tidy(path: Path, *rows: str) -> Path:
    """Write `rows` under `HEADER`; returns `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def two_users(folder: Path) -> Path:
    """Write a file with days of anna in April and May, and one of bert in May."""
    return write_tidy(
        folder / "days.csv",
        "anna,2023-04-30,1000,1800,70,7,walking",
        "anna,2023-05-01,2000,1900,71,7,walking",
        "bert,2023-05-01,3000,2400,65,6,running",
    )
