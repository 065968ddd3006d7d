"""Where records come from. Every source returns the same canonical records."""
