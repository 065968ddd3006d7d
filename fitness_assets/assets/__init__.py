"""One thin module a stage: read inputs, call one pure function, write, say what was made."""

from fitness_assets.memory import collect_rarely

# Processes of Dagster, such as those of runs, import this package before what takes long to import.
collect_rarely()
