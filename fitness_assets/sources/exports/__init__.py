"""Import of device exports: a file, a folder or a zip becomes canonical records."""
