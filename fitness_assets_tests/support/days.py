"""Tables of user-days for tests of the ETL."""

from datetime import date, timedelta

import pyarrow as pa

FIRST = date(2023, 3, 1)


def table(users: list[dict[int, int | None]]) -> pa.Table:
    """Rows by user and day; each user is a dict of steps by the number of days after `FIRST`."""
    rows = [
        (f"u{number:02d}", FIRST + timedelta(day), steps)
        for number, days in enumerate(users)
        for day, steps in sorted(days.items())
    ]
    user_ids, dates, steps = zip(*rows, strict=True)
    exact = pa.array(steps, pa.float64())
    return pa.table(
        {
            "user_id": user_ids,
            "date": pa.array(dates, pa.date32()),
            "steps": pa.array(steps, pa.int32()),
            "calories_burned": exact,
            "resting_heart_rate": exact,
            "worn": pa.repeat(True, len(rows)),
            "activity_type": pa.nulls(len(rows), pa.string()),
        }
    )
