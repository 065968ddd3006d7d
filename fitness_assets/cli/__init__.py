"""The `fitness` command."""
