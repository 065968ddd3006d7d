"""Which groups of users can be compared with each other."""

#: Users from which a group is judged although its users differ from those it is compared with.
MIN_USERS = 5

# A group of fewer than this share of the users of another is not comparable with it: what differs
# is who the users are. Assumed.
_MIN_SHARE = 0.25


def similar_sizes(users: int, others: int) -> bool:
    """Whether neither of two groups is much smaller than the other."""
    return min(users, others) >= _MIN_SHARE * max(users, others)
