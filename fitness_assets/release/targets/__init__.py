"""Where a release can be published to."""
