"""The three models: datasets, splits, pipelines, evaluation, prediction. No paths, no Dagster."""
