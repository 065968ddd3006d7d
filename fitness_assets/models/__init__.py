"""Datasets, the three models, their selection, evaluation and gates."""
