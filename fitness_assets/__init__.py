"""Fitness-tracker telemetry to models that fit, as Dagster assets keyed by month.

Importing this package does nothing; the wiring is in :mod:`fitness_assets.definitions`.
"""
