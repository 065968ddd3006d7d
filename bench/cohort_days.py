"""Days of the synthetic cohort as in `daily_activity`, computed without Spark."""

import pandas as pd
import pyarrow as pa

from fitness_assets.etl.baselines import with_baselines
from fitness_assets.etl.dedupe import first_record_per_day
from fitness_assets.months import between
from fitness_assets.record.raw import RANGES
from fitness_assets.sources.cohort.source import Cohort

USERS, SEED = 1959, 1


def cohort_days(first: str = "2023-04", last: str = "2023-09") -> pd.DataFrame:
    """The days of the months from `first` to `last`."""
    tables = [
        pa.Table.from_batches(Cohort(USERS, SEED).read(month)) for month in between(first, last)
    ]
    # The latest delivery of a day counts; of equal times, the one with an activity.
    order = [("user_id", "ascending"), ("date", "ascending"), ("ingested_at", "descending")]
    records = pa.concat_tables(tables).sort_by([*order, ("activity_type", "ascending")])
    kept = first_record_per_day(records)
    days = with_baselines(kept.append_column("worn", kept["steps"].is_valid())).to_pandas()
    return days.assign(
        date=pd.to_datetime(days["date"]),
        day_of_week=pd.to_datetime(days["date"]).dt.weekday + 1,
        sleep_hours=days["sleep_hours"].where(days["sleep_hours"] <= RANGES["sleep_hours"][1]),
    )
