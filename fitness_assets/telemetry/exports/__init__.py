"""What devices export: an adapter a format, and what they share. `reading.read` is the way in."""
