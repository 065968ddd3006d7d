"""Random forests packed into flat arrays."""
