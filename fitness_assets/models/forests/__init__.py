"""The activity classifier and the calorie regressor."""
