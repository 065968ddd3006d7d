"""On the ``PYTHONPATH`` of services: Dagster's daemon looks for backfills every 2 seconds."""
