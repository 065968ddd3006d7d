"""On the ``PYTHONPATH`` of services: Dagster's daemon looks for backfills every 5 seconds."""
