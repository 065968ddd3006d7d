"""The dashboard: reads verified releases, and nothing else."""
