"""What assets are handed to work with: Spark, and the folders of the platform."""
