from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.mixture import next_source


def drawn(shares: list[float], rows: int) -> list[int]:
    counts = [0] * len(shares)
    for _ in range(rows):
        counts[next_source(shares, counts)] += 1
    return counts


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any), st.integers(1, 500))
def test_every_source_has_its_share_of_rows_at_every_moment(weights: list[int], rows: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    for share, count in zip(shares, drawn(shares, rows), strict=True):
        assert abs(count - share * rows) < len(shares)
        assert share > 0 or count == 0


def test_a_quarter_of_short_rows_is_spread_evenly() -> None:
    counts, order = [0, 0], []
    for _ in range(8):
        order.append(next_source([0.75, 0.25], counts))
        counts[order[-1]] += 1
    assert order == [0, 0, 1, 0, 0, 0, 1, 0]
