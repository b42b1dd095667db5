"""Into how many parts experts can be split."""

import pytest

from lccp.cost.shards import placed, uneven


@pytest.mark.parametrize(
    ("width", "shards", "unit", "would_do"),
    [(3_072, 4, 8, None), (48, 4, 8, "1, 2, 3 or 6"), (24, 3, 8, None), (20, 2, 8, "1")],
)
def test_parts_are_even_and_aligned(
    width: int, shards: int, unit: int, would_do: str | None
) -> None:
    wrong = uneven(width, shards, unit)

    assert (wrong is None) if would_do is None else wrong.endswith(f": take {would_do}")


@pytest.mark.parametrize(
    ("sizes", "devices", "where"),
    [
        ([1, 1, 1, 1], 2, [0, 0, 1, 1]),
        ([4, 1, 1, 1, 1], 2, [0, 1, 1, 1, 1]),
        ([1, 1, 1, 5], 2, [0, 0, 0, 1]),
        ([1, 2, 3], 1, [0, 0, 0]),
        ([1, 1, 1], 3, [0, 1, 2]),
    ],
)
def test_parts_are_shared_out_evenly_in_their_order(
    sizes: list[int], devices: int, where: list[int]
) -> None:
    assert placed(sizes, devices) == where
