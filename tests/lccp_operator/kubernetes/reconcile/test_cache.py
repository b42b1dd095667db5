"""What stays in memory is bounded, and goes by its last use."""

from hypothesis import given
from hypothesis import strategies as st

from lccp_operator.kubernetes.reconcile.cache import Cache


def test_the_one_used_longest_ago_is_forgotten() -> None:
    forgotten: list[str] = []
    cache: Cache[str] = Cache(bytes_max=10)
    for key in ("a", "b", "a", "c"):
        cache.use(key, 4, lambda key=key: forgotten.append(key))
    assert forgotten == ["b"]


def test_one_that_is_too_large_alone_is_forgotten_at_once() -> None:
    forgotten: list[str] = []
    Cache[str](bytes_max=10).use("a", 11, lambda: forgotten.append("a"))
    assert forgotten == ["a"]


def test_a_dropped_one_no_longer_counts() -> None:
    forgotten: list[str] = []
    cache: Cache[str] = Cache(bytes_max=10)
    cache.use("a", 6, lambda: forgotten.append("a"))
    cache.drop("a")
    cache.use("b", 6, lambda: forgotten.append("b"))
    assert forgotten == []


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7))))
def test_what_is_held_never_exceeds_the_bound(uses: list[tuple[int, int]]) -> None:
    held: dict[int, int] = {}
    cache: Cache[int] = Cache(bytes_max=10)
    for key, size in uses:
        held[key] = size
        cache.use(key, size, lambda key=key: held.pop(key))
        assert sum(held.values()) <= 10
