"""The synthetic cohort: behaviour, devices and the ground truth."""
