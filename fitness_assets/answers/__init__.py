"""Questions about one person, answered from the lake: for `fitness report` and `fitness mcp`."""
