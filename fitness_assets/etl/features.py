"""What `daily_activity` adds to the canonical record, told without Spark."""

#: Column and its meaning.
DESCRIPTIONS = {
    "quality_flags": "names of the rules that nulled a value",
    "day_of_week": "1 Monday to 7 Sunday",
    "calories_per_step": "kcal; 0 for a day of 0 steps, null where either is unknown",
    "worn": "whether the device was on the body",
}
