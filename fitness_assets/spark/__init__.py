"""The Spark session, the Java that it runs on, and a standalone cluster."""
