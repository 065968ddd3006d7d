"""The lake, the model store and the releases: paths, atomic writes, verified reads."""
