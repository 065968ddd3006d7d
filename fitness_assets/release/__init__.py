"""The bundle a dashboard reads: build, publish, mirror and load."""
