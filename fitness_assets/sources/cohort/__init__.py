"""The synthetic cohort: population, behaviour, devices and the ground truth."""
