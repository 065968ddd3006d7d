"""Models of few users: each of their own days, judged on later days of the same users."""
