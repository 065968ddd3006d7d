"""Benchmarks of the platform, run by `make bench`. All ratios are measured within one run."""
