"""Tokenized documents on disk."""

import errno
import os
import resource
from collections.abc import Iterator
from itertools import count, filterfalse, islice
from pathlib import Path

import numpy as np
import pytest
from token_shards import shards_of

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.sharding import ShardWriter
from lccp_trainer.data.shards import READ_BYTES, TokenShards, read_index

FILES = [[[1, 2, 3], [4]], [], [[5, 6]]]
DOCUMENTS = [[1, 2, 3], [4], [5, 6]]


@pytest.fixture
def shards(tmp_path: Path) -> TokenShards:
    return shards_of(tmp_path / "shards", *FILES)


def test_documents_are_numbered_through_all_shards(shards: TokenShards) -> None:
    assert len(shards) == 3
    assert [shards.length(number) for number in range(3)] == [3, 1, 2]
    assert [shards.read(n, 0, len(d)).tolist() for n, d in enumerate(DOCUMENTS)] == DOCUMENTS
    assert shards.read(0, 1, 3).tolist() == [2, 3]
    assert shards.lengths().tolist() == [3, 1, 2]
    assert shards.longest() == 3


def test_a_document_is_placed_in_its_own_file(shards: TokenShards) -> None:
    assert [shards.place(number) for number in range(3)] == [
        "document 1 of file-0",
        "document 2 of file-0",
        "document 1 of file-2",
    ]


def test_chunks_overlap_within_a_shard(shards: TokenShards) -> None:
    assert [chunk.tolist() for chunk in shards.chunks(2, 1)] == [[1, 2, 3], [3, 4], [5, 6]]


def test_an_index_counts_and_its_digest_is_that_of_the_documents(
    shards: TokenShards, tmp_path: Path
) -> None:
    same, moved = (
        shards_of(tmp_path / name, *files)
        for name, files in (
            ("same", FILES),
            ("moved", [[[1, 2], [3, 4]], [], [[5, 6]]]),
        )
    )

    assert (shards.index.documents, shards.index.tokens) == (3, 6)
    assert shards.index.digest == same.index.digest != moved.index.digest
    assert read_index(tmp_path / "same", "here") == same.index


def test_a_folder_without_documents_is_empty(tmp_path: Path) -> None:
    empty = shards_of(tmp_path / "empty", [], [[]])

    assert [len(empty), empty.longest()] == [1, 0]
    assert len(shards_of(tmp_path / "none")) == 0


def test_a_shard_that_was_not_closed_leaves_nothing(tmp_path: Path) -> None:
    with ShardWriter(tmp_path, "a") as writer:
        writer.add([np.array([1], dtype=np.uint32)])

    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_an_index_is_not_ready(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^here: .* contains no index.json: give a folder"):
        read_index(tmp_path, "here")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "shard-00000.tokens is missing"), (b"\0" * 15, "holds 15 bytes instead of 16")],
)
def test_a_shard_that_is_not_whole_is_refused(
    shards: TokenShards, tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "shards" / "shard-00000.tokens"
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InvalidInput, match=f"{sentence}: run `lccp data prepare` again"):
        TokenShards(tmp_path / "shards", shards.index, "here")


@pytest.fixture
def files_open_max() -> Iterator[int]:
    """How many more files this process may open."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = set(map(int, os.listdir("/proc/self/fd")))
    free = filterfalse(opened.__contains__, count())
    resource.setrlimit(resource.RLIMIT_NOFILE, (next(islice(free, 16, None)), limits[1]))
    yield 16
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.parametrize("tokens", [1, READ_BYTES])
def test_there_may_be_more_shards_than_files_that_a_process_may_open(
    tmp_path: Path, files_open_max: int, tokens: int
) -> None:
    many = 2 * files_open_max
    shards = shards_of(tmp_path / "many", *[[[number] * tokens] for number in range(many)])

    assert [int(shards.read(n, 0, 1)[0]) for n in range(len(shards))] == list(range(many))


def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files be mapped with the error of this number."""

    def mapped(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(np, "memmap", mapped)


def test_more_shards_than_a_process_can_map_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(errno.ENOMEM, monkeypatch)

    with pytest.raises(InvalidInput, match=r"2 files .*\(Cannot allocate memory\): put the doc"):
        shards_of(tmp_path / "many", *[[[1] * READ_BYTES]] * 2)


def test_a_disk_that_does_not_answer_is_no_fault_of_the_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(errno.EIO, monkeypatch)

    with pytest.raises(OSError, match="Input/output error"):
        shards_of(tmp_path / "one", [[1] * READ_BYTES])
