"""Tests of the models of few users."""
