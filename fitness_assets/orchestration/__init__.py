"""What Dagster needs besides the assets: partitions, checks, automation, the instance."""
