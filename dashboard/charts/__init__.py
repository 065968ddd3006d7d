"""Charts: pure functions from data frames to Altair charts; one module a view, and shared ones."""
