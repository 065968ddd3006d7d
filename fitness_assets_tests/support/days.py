"""Tables of user-days for tests of the ETL and of releases."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa

from fitness_assets.release import tables

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


def random_days(users: int, seed: int, days: int = 12) -> pd.DataFrame:
    """Records of some days of some users, with values, activities and devices missing at random."""
    generator = np.random.default_rng(seed)
    share = generator.uniform(0.3, 1, (users, 1)) * generator.uniform(0.3, 1, days)
    present = generator.random((users, days)) < share
    keys = [
        (f"p{user:020d}", date(2023, 4, 1) + timedelta(int(day)))
        for user, day in np.argwhere(present)
    ]
    frame = pd.DataFrame(keys, columns=["user_id", "date"]).reindex(columns=tables.COLUMNS)
    for name in frame.columns[frame.isna().all()]:
        frame[name] = np.round(generator.gamma(4, 20, len(frame)), 1)
        frame.loc[generator.random(len(frame)) < 0.2, name] = np.nan
    return frame.assign(
        day_of_week=[day.isoweekday() for _, day in keys],
        worn=generator.random(len(frame)) < 0.8,
        activity_type=np.array(["walking", "running", "rowing", None])[
            generator.integers(4, size=len(frame))
        ],
        quality_flags=pd.Series([["steps_out_of_range"][: n % 9 == 0] for n in range(len(frame))]),
        sex="female",
    )
