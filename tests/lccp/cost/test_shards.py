"""Into how many parts experts can be split."""

import pytest

from lccp.cost.shards import uneven


@pytest.mark.parametrize(
    ("width", "shards", "unit", "would_do"),
    [(3_072, 4, 8, None), (48, 4, 8, "1, 2, 3 or 6"), (24, 3, 8, None), (20, 2, 8, "1")],
)
def test_parts_are_even_and_aligned(
    width: int, shards: int, unit: int, would_do: str | None
) -> None:
    wrong = uneven(width, shards, unit)

    assert (wrong is None) if would_do is None else wrong.endswith(f": take {would_do}")
