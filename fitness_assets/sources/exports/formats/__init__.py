"""The export formats. Each module assigns a `Format` to ``FORMAT`` and is found without a list."""
