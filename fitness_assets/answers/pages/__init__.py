"""Reports as pages: their parts, and one module per format."""
