"""A source is tokenized once, in parallel, and resumes where an earlier try stopped."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from word_tokenizer import END, Killed, Words

from lccp.api.spec.data import DataSource
from lccp.contract.errors import InvalidInput, LccpError
from lccp_trainer.data.prepare import is_ready, prepare
from lccp_trainer.data.sharding import BadDocuments
from lccp_trainer.data.shards import ShardIndex, TokenShards, read_index

WHERE = "data.sources[0]"
SOURCE = DataSource.parse({"name": "a", "kind": "Long", "path": "a"}, "source")


def write(folder: Path, **files: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, texts in files.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        (folder / f"{name}.jsonl").write_text(lines)
    return folder


def prepared(path: Path, folder: Path, **options: Any) -> ShardIndex:
    return prepare(SOURCE, path, folder, Words, "digest", WHERE, **options)


def documents(folder: Path) -> list[list[int]]:
    shards = TokenShards(folder, read_index(folder, WHERE), WHERE)
    return [shards.read(i, 0, shards.length(i)).tolist() for i in range(len(shards))]


def test_documents_keep_their_order_and_end_with_the_end_token_once(tmp_path: Path) -> None:
    path = write(tmp_path / "in", b=["7"], a=["1 2 3", f"4 {END}"])
    index = prepared(path, tmp_path / "out")
    assert documents(tmp_path / "out") == [[1, 2, 3, END], [4, END], [7, END]]
    assert (index.documents, index.tokens, index.tokenizer_digest) == (3, 8, "digest")


def test_what_was_done_is_not_done_again(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"], b=["2"], c=["broken"])
    with pytest.raises(ValueError, match="broken"):
        prepared(path, tmp_path / "out")
    assert not is_ready(tmp_path / "out")
    write(tmp_path / "in", c=["3"])
    before = Words.calls
    prepared(path, tmp_path / "out")
    assert Words.calls - before == 1
    assert documents(tmp_path / "out") == [[1, END], [2, END], [3, END]]


def test_a_file_that_changed_is_done_again(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"])
    first = prepared(path, tmp_path / "out")
    write(tmp_path / "in", a=["1 2"])
    second = prepared(path, tmp_path / "out")
    assert documents(tmp_path / "out") == [[1, 2, END]]
    assert first.digest != second.digest


def test_a_bad_document_ends_it_unless_some_may_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1", "2"])
    with (path / "a.jsonl").open("a") as file:
        file.write('no json\n{"text": "3"}\n{"text": null}\n')
    with pytest.raises(InvalidInput, match=r"a\.jsonl, line 3: is not JSON.*badDocumentsMax"):
        prepared(path, tmp_path / "out")
    with pytest.raises(InvalidInput, match=r"line 5: .*null.*\(1 before it were left out\)"):
        prepared(path, tmp_path / "out", bad=BadDocuments(1))
    index = prepared(path, tmp_path / "out", bad=BadDocuments(2))
    assert index.shards[0].skipped == 2
    assert documents(tmp_path / "out") == [[1, END], [2, END], [3, END]]
    with pytest.raises(InvalidInput, match=r"line 3: is not JSON"):
        prepared(path, tmp_path / "out")


@pytest.mark.parametrize("form", ["JSONL", "Parquet"])
def test_a_file_that_ends_early_counts_as_more_than_one_document(tmp_path: Path, form: str) -> None:
    whole = gzip.compress("".join(f'{{"text": "{n}"}}\n' for n in range(20_000)).encode())
    (tmp_path / "a").write_bytes(whole[: len(whole) // 2] if form == "JSONL" else b"PAR1")
    source = SOURCE.model_copy(update={"format": form})
    with pytest.raises(InvalidInput, match=r"/a: can't be read"):
        prepare(
            *(source, tmp_path / "a", tmp_path / "out", Words, "digest", WHERE),
            bad=BadDocuments(9),
        )


def test_a_source_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("\n\n")
    with pytest.raises(InvalidInput, match=r"a\.jsonl: is empty"):
        prepared(tmp_path / "a.jsonl", tmp_path / "out")
    with pytest.raises(InvalidInput, match="contains no text"):
        prepared(tmp_path / "a.jsonl", tmp_path / "out", bad=BadDocuments(1))


def test_progress_is_told_in_bytes_to_the_end(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"], b=["2 3"])
    told: list[tuple[int, int]] = []
    prepared(path, tmp_path / "out", progress=lambda *done: told.append(done))
    total = sum(file.stat().st_size for file in path.iterdir())
    assert told[0] == (0, total)
    assert told[-1] == (total, total)


def test_progress_is_told_inside_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1 2 3"] * 600)
    told: list[int] = []
    prepared(path, tmp_path / "out", progress=lambda done, _: told.append(done))
    assert told == sorted(told)
    assert len([done for done in told if 0 < done < told[-1]]) == 2


@pytest.mark.slow
def test_a_process_that_is_killed_is_said_and_what_is_done_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"], b=["2"])
    with pytest.raises(LccpError, match="was killed, perhaps because memory ran out"):
        prepare(SOURCE, path, tmp_path / "out", Killed, "digest", WHERE, workers=2)
    assert not is_ready(tmp_path / "out")
    prepared(path, tmp_path / "out")
    assert documents(tmp_path / "out") == [[1, END], [2, END]]


def test_a_folder_that_can_not_be_made_is_said(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"])
    (tmp_path / "file").touch()
    with pytest.raises(LccpError, match=r"out: can't be written: Not a directory"):
        prepared(path, tmp_path / "file" / "out")


def test_a_link_to_nothing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"])
    (path / "b.jsonl").symlink_to("gone")
    with pytest.raises(InvalidInput, match=r"b\.jsonl: can't be read: No such file"):
        prepared(path, tmp_path / "out")


def test_a_file_that_is_written_to_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"])

    class Late(Words):
        def __call__(self, text: list[str], *, verbose: bool) -> Any:
            write(path, a=["1", "2"])
            return super().__call__(text, verbose=verbose)

    with pytest.raises(LccpError, match=r"a\.jsonl changed while it was read: try again"):
        prepare(SOURCE, path, tmp_path / "out", Late, "digest", WHERE)
    prepared(path, tmp_path / "out")
    assert documents(tmp_path / "out") == [[1, END], [2, END]]


@pytest.mark.parametrize("ending", ["tokens", "offsets"])
def test_a_shard_that_lost_a_part_is_made_again(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / "in", a=["1 2 3"])
    prepared(path, tmp_path / "out")
    os.truncate(tmp_path / "out" / f"shard-00000.{ending}", 8)
    prepared(path, tmp_path / "out")
    assert documents(tmp_path / "out") == [[1, 2, 3, END]]


@pytest.mark.parametrize("ending", ["tokens", "offsets"])
def test_a_shard_that_is_cut_short_is_named(tmp_path: Path, ending: str) -> None:
    prepared(write(tmp_path / "in", a=["1 2 3"]), tmp_path / "out")
    shard = tmp_path / "out" / f"shard-00000.{ending}"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(InvalidInput, match=rf"shard-00000\.{ending} holds 15 bytes instead of 16"):
        TokenShards(tmp_path / "out", read_index(tmp_path / "out", WHERE), WHERE)


def test_a_folder_without_an_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"contains no index\.json: give a folder that `lccp data"
    ):
        read_index(tmp_path, WHERE)


def test_another_end_of_documents_makes_everything_anew(tmp_path: Path) -> None:
    class Chat(Words):
        eos_token_id = END - 1

    path = write(tmp_path / "in", a=["1"])
    prepared(path, tmp_path / "out")
    prepare(SOURCE, path, tmp_path / "out", Chat, "digest", WHERE)
    assert documents(tmp_path / "out") == [[1, END - 1]]


def test_another_tokenizer_makes_everything_anew(tmp_path: Path) -> None:
    path = write(tmp_path / "in", a=["1"], b=["2"])
    prepared(path, tmp_path / "out")
    before = Words.calls
    again = prepare(SOURCE, path, tmp_path / "out", Words, "another", WHERE)
    assert Words.calls - before == 2
    assert read_index(tmp_path / "out", WHERE) == again
    assert again.tokenizer_digest == "another"
