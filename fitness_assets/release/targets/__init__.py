"""One module per release target: uploading to it and reading from it."""
