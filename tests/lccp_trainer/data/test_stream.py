"""The batches of a run depend only on position, data and seed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from word_tokenizer import END, Words

from lccp.api.objects.inputs import Input, InputFile
from lccp.api.spec.data import DataSpec
from lccp.contract.errors import InvalidInput
from lccp.inputs.ranges import Read, write_origin
from lccp_trainer.data.prepare import prepare
from lccp_trainer.data.sources import NodeGroup, token_folders
from lccp_trainer.data.stream import DataStream, Totals, open_stream
from lccp_trainer.parallel.shard import IGNORED, document_lengths, following

ROW = 16


def a_spec(folder: Path, seed: int = 0, **long: Any) -> DataSpec:
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
    return DataSpec.parse(document, "data")


def a_stream(folder: Path, seed: int = 0, **long: Any) -> DataStream:
    data = a_spec(folder, seed, **long)
    folders = token_folders(
        data, folder, Words, "digest", NodeGroup(folder / "scratch", first=True)
    )
    return open_stream(data, folders, (10, ROW))


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> DataStream:
    return a_stream(tmp_path_factory.mktemp("data"))


class InBucket:
    """The tokens of folders, moved elsewhere; counts the bytes that are read of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.read: list[int] = []

    def moved(self, folder: Path) -> Path:
        """The folder as it is once it was fetched in part."""
        files = {}
        for path in folder.glob("*.tokens"):
            files[f"at/{path.name}"] = InputFile(size=path.stat().st_size)
            (self.folder / folder.name).mkdir(parents=True, exist_ok=True)
            path.rename(self.folder / folder.name / path.name)
        write_origin(folder, Input(location=f"s3://x/{folder.name}", path="at", files=files))
        return folder

    def open(self, origin: Input) -> Read:
        def read(name: str, start: int, length: int) -> bytes:
            self.read.append(length)
            data = (self.folder / Path(origin.location).name / name).read_bytes()
            return data[start : start + length]

        return read


def test_of_tokens_in_a_bucket_a_rank_reads_the_ranges_of_its_rows(tmp_path: Path) -> None:
    stream = a_stream(tmp_path)
    expected, _ = stream.next_batch(stream.start(), 8, slice(2, 4))
    bucket = InBucket(tmp_path / "bucket")
    folders = [None, *(bucket.moved(tmp_path / "scratch" / f"source-{n}") for n in (1, 2))]

    remote = open_stream(a_spec(tmp_path), folders, (10, ROW), bucket.open)
    opened = list(bucket.read)
    found, _ = remote.next_batch(remote.start(), 8, slice(2, 4))

    assert opened == []
    assert sum(bucket.read) == 4 * 2 * ROW
    assert found.tokens.tolist() == expected.tokens.tolist()
    assert found.positions.tolist() == expected.positions.tolist()
    assert remote.digests == stream.digests


def test_tokens_in_a_bucket_are_refused_if_cut_short(tmp_path: Path) -> None:
    a_stream(tmp_path)
    bucket = InBucket(tmp_path / "bucket")
    (tmp_path / "scratch" / "source-1" / "shard-00000.tokens").write_bytes(b"1234")
    folders = [None, *(bucket.moved(tmp_path / "scratch" / f"source-{n}") for n in (1, 2))]
    with pytest.raises(InvalidInput, match=r"shard-00000\.tokens holds 4 bytes instead of"):
        open_stream(a_spec(tmp_path), folders, (10, ROW), bucket.open)


@pytest.mark.slow
@given(st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_the_order_does_not_depend_on_how_many_rows_are_read_at_once(
    stream: DataStream, sizes: list[int]
) -> None:
    at_once, end = stream.next_batch(stream.start(), sum(sizes))
    position, parts = stream.start(), []
    for size in sizes:
        batch, position = stream.next_batch(position, size)
        parts.append(batch.tokens)
    assert np.array_equal(np.concatenate(parts), at_once.tokens)
    assert position == end


@pytest.mark.parametrize("isolated", [True, False])
def test_every_process_knows_what_all_rows_of_a_step_predict(
    stream: DataStream, isolated: bool
) -> None:
    own, _ = replace(stream, isolated=isolated).next_batch(stream.start(), 6, slice(2, 3))
    whole, _ = replace(stream, isolated=isolated).next_batch(stream.start(), 6)

    predicted = following(whole.tokens, whole.positions) != IGNORED
    assert own.totals == Totals(int(predicted.sum()), int(whole.positions.sum()))


@pytest.mark.slow
@given(st.integers(1, 6), st.integers(1, 5))
def test_processes_read_their_own_rows_of_the_same_batch(
    stream: DataStream, processes: int, each: int
) -> None:
    rows = processes * each
    whole, end = stream.next_batch(stream.start(), rows)
    for rank in range(processes):
        own = slice(rank * each, (rank + 1) * each)
        part, after = stream.next_batch(stream.start(), rows, own)
        assert after == end
        assert np.array_equal(part.tokens, whole.tokens[own])
        assert np.array_equal(part.positions, whole.positions[own])


def test_tokens_are_counted_by_source_and_shared_by_weight(stream: DataStream) -> None:
    batch, position = stream.next_batch(stream.start(), 400)
    counted = stream.tokens_per_source(position)
    assert counted == {"long": int((batch.sources == 0).sum()), "short": (batch.sources == 1).sum()}
    assert counted["long"] == pytest.approx(300 * ROW, abs=2 * ROW)


def test_a_document_ends_with_the_end_token_once(stream: DataStream) -> None:
    batch, _ = stream.next_batch(stream.start(), 40)
    row, at = np.nonzero(batch.tokens == END)
    inside = at < ROW - 1
    assert inside.any()
    assert (batch.positions[row[inside], at[inside] + 1] == 0).all()


def test_epochs_count_what_was_given_of_each_source(stream: DataStream) -> None:
    assert stream.epochs(stream.start()) == {"long": 0, "short": 0}
    batch, position = stream.next_batch(stream.start(), 60)
    short = sum(shards.tokens for shards in stream.shards[1].index.shards)
    assert stream.epochs(position)["short"] == round((batch.sources == 1).sum() / short, 3)


def test_long_documents_that_wait_for_a_row_are_in_no_epoch_yet(tmp_path: Path) -> None:
    """Eight documents of a row each, all of which are read ahead."""
    text = " ".join(["1"] * (ROW - 1))
    (tmp_path / "long").write_text(8 * (json.dumps({"text": text}) + "\n"))
    source = {"name": "long", "kind": "Long", "path": "long"}
    data = DataSpec.parse({"shortFraction": "0", "sources": [source]}, "data")
    folders = token_folders(
        data, tmp_path, Words, "digest", NodeGroup(tmp_path / "scratch", first=True)
    )
    stream = open_stream(data, folders, (10, ROW))
    position, told = stream.start(), []
    for _ in range(9):
        _, position = stream.next_batch(position, 1)
        told.append(stream.epochs(position)["long"])
    assert told == [number / 8 for number in range(1, 10)]


def test_a_token_that_the_model_does_not_know_is_named(stream: DataStream) -> None:
    """A damaged file of the right size; a device would end with an error of its own."""
    known = replace(stream, vocabulary=END + 1)
    known.next_batch(known.start(), 4)
    with pytest.raises(InvalidInput, match=r"^source short: the tokens of document .*: 999 is"):
        replace(stream, vocabulary=END).next_batch(stream.start(), 4)


def test_documents_may_see_each_other_in_the_same_rows(tmp_path: Path) -> None:
    data = a_spec(tmp_path)
    folders = token_folders(
        data, tmp_path, Words, "digest", NodeGroup(tmp_path / "scratch", first=True)
    )
    crossed = data.model_copy(update={"cross_document_attention": True})
    (apart, _), (joined, _) = (
        stream.next_batch(stream.start(), 8)
        for stream in (open_stream(spec, folders, (10, ROW)) for spec in (data, crossed))
    )
    assert np.array_equal(joined.tokens, apart.tokens)
    assert (joined.positions == np.arange(ROW)).all()
    assert document_lengths(joined.positions) == ((ROW,),) * 8
    assert max(map(len, document_lengths(apart.positions))) > 1
    predicted = following(joined.tokens, joined.positions) != IGNORED
    assert (predicted.sum(axis=1) == ROW - 1).all()


def test_another_seed_gives_another_order(stream: DataStream, tmp_path: Path) -> None:
    other = a_stream(tmp_path, seed=1)
    mine, others = (s.next_batch(s.start(), 20)[0].tokens for s in (stream, other))
    assert not np.array_equal(mine, others)
    assert other.start() == stream.start()


def test_a_minimum_that_no_document_has_is_refused_with_the_source(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^data\.sources\[1\] \(long\): .* 100 tokens or more"):
        a_stream(tmp_path, minimumLength=100)


def test_a_source_of_empty_documents_alone_is_refused(tmp_path: Path) -> None:
    """Their end tokens would fill its share of the run, and nothing is predicted there."""
    data, node = a_spec(tmp_path), NodeGroup(tmp_path / "scratch", first=True)
    (tmp_path / "short").write_text('{"text": ""}\n' * 20)
    folders = token_folders(data, tmp_path, Words, "digest", node)

    told = r"^data\.sources\[2\] \(short\): no document has 2 tokens or more, the longest"
    with pytest.raises(InvalidInput, match=told):
        open_stream(data, folders, (10, ROW))


def test_prepared_tokens_give_the_rows_that_their_text_gives(
    stream: DataStream, tmp_path: Path
) -> None:
    source = a_spec(tmp_path).sources[1]
    prepare(source, tmp_path / "long", tmp_path / "ready", Words, "digest", "data.sources[1]")
    other = a_stream(tmp_path, path="ready", format="Tokens")
    mine, others = (s.next_batch(s.start(), 40)[0] for s in (stream, other))
    assert np.array_equal(mine.tokens, others.tokens)


def test_changed_documents_are_noticed_by_their_source(stream: DataStream, tmp_path: Path) -> None:
    data = a_spec(tmp_path)
    lines = (tmp_path / "short").read_text().splitlines(keepends=True)
    (tmp_path / "short").write_text("".join(lines[1:]))
    node = NodeGroup(tmp_path / "scratch", first=True)

    folders = token_folders(data, tmp_path, Words, "digest", node)

    def opened(**fields: Any) -> DataStream:
        return open_stream(data.model_copy(update=fields), folders, (10, ROW))

    _, position = stream.next_batch(stream.start(), 9)
    assert stream.resumed(position) == position
    with pytest.raises(InvalidInput, match="the documents of short changed after training"):
        opened().resumed(position)
    moved = opened(accept_changed=True).resumed(position)
    assert moved.digests != position.digests
    assert moved.tokens == position.tokens
    assert moved.cursors[0] == position.cursors[0]
    assert moved.cursors[1].waiting == ()


def a_held_out_stream(folder: Path, tokens: int) -> DataStream:
    data = a_spec(folder).model_copy(update={"held_out_tokens": tokens})
    folders = token_folders(
        data, folder, Words, "digest", NodeGroup(folder / "scratch", first=True)
    )
    return open_stream(data, folders, (10, ROW))


def test_held_out_documents_are_drawn_from_every_source_and_never_trained_on(
    tmp_path: Path,
) -> None:
    stream = a_held_out_stream(tmp_path, 12)
    held_out = {(p.source, p.document) for row in stream.held_out() for p in row}
    assert {source for source, _ in held_out} == {0, 1}
    position, read = stream.start(), set()
    while min(stream.epochs(position).values()) < 2:
        rows, position = stream.packing.rows(position, 1)
        read |= {(p.source, p.document) for row in rows for p in row}
    assert held_out.isdisjoint(read)
    assert held_out == {
        (p.source, p.document) for row in a_held_out_stream(tmp_path, 12).held_out() for p in row
    }


def test_an_epoch_is_one_of_what_is_trained_on(tmp_path: Path) -> None:
    whole, rest = a_held_out_stream(tmp_path, 0), a_held_out_stream(tmp_path, 12)
    lost = [0, 0]
    for row in rest.held_out():
        for piece in row:
            lost[piece.source] += rest.shards[piece.source].length(piece.document)
    assert whole.held_out() == []
    assert rest.used[1] == whole.used[1] - lost[1]
    assert 0 < whole.used[0] - rest.used[0] <= lost[0]


def test_a_held_out_part_that_is_too_large_is_refused_with_what_an_accepted_run_can_do(
    tmp_path: Path,
) -> None:
    said = r"^data\.heldOutTokens: 100 takes .* of source long .* more documents, .* another name"
    with pytest.raises(InvalidInput, match=said):
        a_held_out_stream(tmp_path, 100)
