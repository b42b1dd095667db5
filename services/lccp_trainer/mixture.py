"""Which source the next row comes from."""

from collections.abc import Sequence


def next_source(shares: Sequence[float], rows: Sequence[int]) -> int:
    """The source that is furthest behind its share of one row more; the first one of equals.

    Since all rows have the same number of tokens, shares of rows are shares of tokens: after n
    rows every source has its share of n to within the number of sources.

    Args:
        shares: share of each source, 0 to 1, with sum 1.
        rows: rows that each source has given so far.
    """
    total = sum(rows) + 1
    behind = [
        share * total - given if share > 0 else float("-inf")
        for share, given in zip(shares, rows, strict=True)
    ]
    return behind.index(max(behind))
