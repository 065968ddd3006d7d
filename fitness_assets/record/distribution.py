"""The distribution of a column, stored with a month so that the next month can be compared."""

import msgspec

#: The value of the check `no_drift` that holds the index above which the month has drifted.
DRIFT_LIMIT = "limit"


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the rows of a column by bin.

    Attributes
    ----------
    edges : list of float
        Upper edges of the bins, ascending.
    shares : list of float
        Share of the rows in each bin, above the last edge, and without a value.
    """

    edges: list[float]
    shares: list[float]
