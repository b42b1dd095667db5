"""How a model is divided among devices: the width of its experts, or else its layers."""

from collections.abc import Iterable, Sequence
from itertools import accumulate

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


def placed(sizes: Sequence[int], devices: int) -> list[int]:
    """The device, from 0, of each of a model's consecutive parts of these sizes.

    They are shared out evenly: a part goes where its middle falls.
    """
    whole = sum(sizes)
    middles = (2 * end - size for end, size in zip(accumulate(sizes), sizes, strict=True))
    return [min(devices - 1, devices * middle // (2 * whole)) for middle in middles]


def divisors(number: int) -> list[int]:
    """All divisors of `number`, ascending."""
    return [size for size in range(1, number + 1) if number % size == 0]


def one_of(numbers: Iterable[int]) -> str:
    """`numbers` as text, such as `1, 2 or 4`."""
    found = list(map(str, numbers))
    return " or ".join(filter(None, [", ".join(found[:-1]), found[-1]]))
