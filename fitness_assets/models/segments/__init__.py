"""User segments: K-Means, its stability, and advice."""
