"""The Spark session, its Java runtime and a standalone cluster."""
