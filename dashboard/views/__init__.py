"""One file a view; each has one function, `show`."""
