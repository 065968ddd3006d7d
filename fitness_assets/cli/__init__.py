"""The `fitness` command: one module a command, and the modules that do their work.

The module of a command imports only click and the settings at its top, so that ``fitness --help``
is fast. Dagster, Spark, pandas and rich take seconds to import; each command imports what it needs.
"""

from fitness_assets.memory import collect_rarely

collect_rarely()
