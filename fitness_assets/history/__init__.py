"""What years of one user's days show: summaries by week and month, and findings."""
