"""One thin module a stage: read inputs, call one pure function, write, say what was made."""
