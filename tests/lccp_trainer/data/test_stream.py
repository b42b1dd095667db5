import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.spec.data import DataSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.data.stream import DataStream, next_source, open_stream

ROW = 16
END = 999


class Words:
    """A tokenizer of numbers: every word is a token id."""

    eos_token_id: int | None = END

    def __call__(self, text: str, *, verbose: bool) -> Any:
        return {"input_ids": [int(word) for word in text.split()]}


def a_stream(folder: Path, seed: int = 0, **long: Any) -> DataStream:
    rng = np.random.default_rng(3)
    for name, low, high in (("long", 12, 60), ("short", 2, 9)):
        documents = [rng.integers(0, 100, rng.integers(low, high)) for _ in range(15)]
        lines = [json.dumps({"text": " ".join(map(str, d))}) + "\n" for d in documents]
        (folder / name).write_text("".join(lines))
    document = {
        "shortFraction": "0.25",
        "seed": seed,
        "sources": [
            {"name": "off", "kind": "Long", "path": "missing", "weight": "0"},
            {"name": "long", "kind": "Long", "path": "long"} | long,
            {"name": "short", "kind": "Short", "path": "short"},
        ],
    }
    data = DataSpec.parse(document, "data")
    paths = [folder / source.path for source in data.sources]
    return open_stream(data, paths, Words(), (10, ROW), folder)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> DataStream:
    return a_stream(tmp_path_factory.mktemp("data"))


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_the_order_does_not_depend_on_how_many_rows_are_drawn_at_once(
    stream: DataStream, sizes: list[int]
) -> None:
    at_once, end = stream.next_batch(stream.start(), sum(sizes))
    position, parts = stream.start(), []
    for size in sizes:
        batch, position = stream.next_batch(position, size)
        parts.append(batch.tokens)
    assert np.array_equal(np.concatenate(parts), at_once.tokens)
    assert position.rows == end.rows


def test_a_position_can_be_drawn_from_again(stream: DataStream) -> None:
    _, position = stream.next_batch(stream.start(), 21)
    first, _ = stream.next_batch(position, 9)
    again, _ = stream.next_batch(position, 9)
    assert np.array_equal(first.tokens, again.tokens)
    assert np.array_equal(first.positions, again.positions)


def test_tokens_are_counted_by_source_and_shared_by_weight(stream: DataStream) -> None:
    _, position = stream.next_batch(stream.start(), 40)
    assert stream.tokens_per_source(position) == {"long": 30 * ROW, "short": 10 * ROW}


def test_a_document_ends_with_the_end_token_once(stream: DataStream) -> None:
    batch, _ = stream.next_batch(stream.start(), 40)
    starts = [(row, at) for row, at in zip(*np.nonzero(batch.positions == 0), strict=True) if at]
    assert starts
    assert all(batch.tokens[row, at - 1] == END for row, at in starts)


def test_another_seed_gives_another_order(stream: DataStream, tmp_path: Path) -> None:
    other = a_stream(tmp_path, seed=1)
    mine, others = (s.next_batch(s.start(), 20)[0].tokens for s in (stream, other))
    assert not np.array_equal(mine, others)


def test_long_documents_are_at_least_the_source_context_by_default(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    assert [source.minimum_tokens for source in stream.sources] == [10, 0]


def test_a_minimum_that_no_document_has_is_refused_with_the_source(tmp_path: Path) -> None:
    stream = a_stream(tmp_path, minimumLength=100)
    with pytest.raises(InvalidInput, match=r"^data\.sources\[1\] \(long\): .* 100 tokens"):
        stream.next_batch(stream.start(), 4)


def rows_by_source(shares: list[float], rows: int) -> list[int]:
    counts = [0] * len(shares)
    for _ in range(rows):
        counts[next_source(shares, counts)] += 1
    return counts


@given(st.lists(st.integers(0, 100), min_size=1, max_size=8).filter(any), st.integers(1, 500))
def test_every_source_has_its_share_of_rows_at_every_moment(weights: list[int], rows: int) -> None:
    shares = [weight / sum(weights) for weight in weights]
    for share, count in zip(shares, rows_by_source(shares, rows), strict=True):
        assert abs(count - share * rows) < len(shares)
        assert share > 0 or count == 0


def test_a_quarter_of_short_rows_is_spread_evenly() -> None:
    counts, order = [0, 0], []
    for _ in range(8):
        order.append(next_source([0.75, 0.25], counts))
        counts[order[-1]] += 1
    assert order == [0, 0, 1, 0, 0, 0, 1, 0]
