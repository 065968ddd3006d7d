"""A client of the Google Drive API: credentials, errors, retries and resumable uploads."""
