"""Tests of the summaries and findings of years of one user."""
