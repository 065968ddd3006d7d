"""Spark transformations: pure functions from DataFrame to DataFrame."""
