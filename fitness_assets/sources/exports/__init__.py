"""Device exports: from a file, a folder or an archive to canonical records."""
