"""Criteria of stable segments.

They are apart from the computation so that the dashboard can show them without scikit-learn.
"""

#: Threshold of each stability index; below it segments are not stable.
STABLE = 0.55
#: Users of the smallest segment, at least; fewer are outliers.
SMALLEST_SEGMENT = 5
#: Worn days that a user needs for kinds of days.
FEWEST_DAYS = 60
#: The lenient index, by field of `SegmentCandidate`, in words. It does not count.
LENIENT_PARTS = {"subsampling": "between samples of 80% of the users"}
#: The strict indices, each of which must reach `STABLE`.
STABILITY_PARTS = {
    "bootstrap": "between resamples of the users",
    "odd_even": "between odd and even days",
    "months": "from month to month",
}
#: The indices of kinds of days, by field of `DayKindCandidate`.
DAY_STABILITY_PARTS = {
    "odd_even": "between odd and even days",
    "months": "from month to month",
    "bootstrap": "between resamples of the days",
}
