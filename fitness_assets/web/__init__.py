"""The web servers of the platform, behind one gate."""
