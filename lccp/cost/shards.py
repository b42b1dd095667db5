"""How many parts the width of a model's experts can be cut into, one for each process."""

from collections.abc import Iterable

ALIGNED_BYTES = 16
"""Grouped products need rows of weights that begin at multiples of this many bytes."""


def uneven(width: int, shards: int, unit: int) -> str | None:
    """What is wrong with `shards` parts of experts that are `width` elements wide; None: nothing.

    A part must be a multiple of `unit` elements, or grouped products refuse its rows.
    """
    if width % (unit * shards) == 0:
        return None
    would_do = [n for n in range(1, width // unit + 1) if width % (unit * n) == 0]
    return (
        f"{shards} does not cut the width of the model's experts, {width}, into multiples of "
        f"{unit}: take {one_of(would_do or [1])}"
    )


def one_of(numbers: Iterable[int]) -> str:
    """`numbers` as text, such as `1, 2 or 4`."""
    found = list(map(str, numbers))
    return " or ".join(filter(None, [", ".join(found[:-1]), found[-1]]))
