"""Dagster objects other than the assets: partitions, checks, automation, and the instance."""
