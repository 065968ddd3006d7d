"""Where records come from. Every source hands out the same canonical records."""
