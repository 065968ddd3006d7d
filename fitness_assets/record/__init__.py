"""The canonical record: its columns, units and ranges, names of activities, and check results."""
