"""Where the tokens of each source are on a node."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from token_shards import shards_of
from word_tokenizer import END, Words

from lccp.api.spec.data import DataSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.data import sources
from lccp_trainer.data.shards import write_index
from lccp_trainer.data.sources import NodeGroup, check_source, token_folders

DIGEST = "digest"


def a_data(folder: Path, **source: Any) -> DataSpec:
    (folder / "a.jsonl").write_text(json.dumps({"text": "1 2 3"}) + "\n")
    sources = [
        {"name": "off", "kind": "Long", "path": "missing", "weight": "0"},
        {"name": "long", "kind": "Long", "path": "a.jsonl"} | source,
    ]
    return DataSpec.parse({"shortFraction": "0", "sources": sources}, "data")


def folders_of(data: DataSpec, base: Path, node: NodeGroup) -> list[Path | None]:
    return token_folders(data, base, Words, DIGEST, node)


def test_a_file_that_cannot_be_looked_at_is_named(tmp_path: Path) -> None:
    data = a_data(tmp_path, path="texts")
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "link.jsonl").symlink_to("n" * 300)

    with pytest.raises(InvalidInput, match=r"^data\.path: .*link\.jsonl: can't be read: "):
        check_source(data.sources[1], tmp_path / "texts", "data", DIGEST)


def test_a_source_is_tokenized_once_and_one_without_a_share_never(tmp_path: Path) -> None:
    data, node = a_data(tmp_path), NodeGroup(tmp_path / "scratch", first=True)

    assert folders_of(data, tmp_path, node) == [None, tmp_path / "scratch" / "source-1"]
    calls = Words.calls
    assert folders_of(data, tmp_path, node) == [None, tmp_path / "scratch" / "source-1"]
    assert Words.calls == calls


def test_documents_that_are_left_out_are_told_by_file(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = a_data(tmp_path, badDocumentsMax=3)
    with (tmp_path / "a.jsonl").open("a") as file:
        file.write("no JSON\n[]\n")

    folders_of(data, tmp_path, NodeGroup(tmp_path / "scratch", first=True))

    told = "source long: 2 documents of {} could not be read, and are left out"
    assert caplog.messages == [told.format(tmp_path / "a.jsonl")]


@pytest.mark.slow
def test_the_others_of_a_node_wait_for_the_first_and_may_be_ended(tmp_path: Path) -> None:
    class Ended(Exception):
        pass

    asked: list[int] = []

    def alive() -> None:
        asked.append(1)
        if len(asked) > 2:
            raise Ended

    data, node = a_data(tmp_path), NodeGroup(tmp_path / "scratch", first=False, alive=alive)
    with pytest.raises(Ended):
        folders_of(data, tmp_path, node)

    folders_of(data, tmp_path, replace(node, first=True, alive=lambda: None))
    assert folders_of(data, tmp_path, node)[1] == tmp_path / "scratch" / "source-1"


def test_tokens_that_are_there_are_taken_where_they_lie(tmp_path: Path) -> None:
    ready = shards_of(tmp_path / "ready", [[1, 2, 3]])
    data = a_data(tmp_path, path="ready", format="Tokens")
    node = NodeGroup(tmp_path / "scratch", first=True)

    assert ready.index.tokenizer_digest == DIGEST
    assert folders_of(data, tmp_path, node) == [None, tmp_path / "ready"]


@pytest.mark.parametrize(("end", "fits"), [(END, True), (END - 1, False), (None, True)])
def test_tokens_must_end_documents_as_the_model_s_texts_end(
    tmp_path: Path, end: int | None, fits: bool
) -> None:
    """Two models with one tokenizer may end their texts with different tokens."""
    index = shards_of(tmp_path / "ready", [[1, 2, 3]]).index
    records = tuple(record.model_copy(update={"end": end}) for record in index.shards)
    write_index(tmp_path / "ready", index.model_copy(update={"shards": records}))
    data = a_data(tmp_path, path="ready", format="Tokens")
    node = NodeGroup(tmp_path / "scratch", first=True)
    if fits:
        assert folders_of(data, tmp_path, node)[1] == tmp_path / "ready"
        return
    told = r"sources\[1\].path: .* end with token 998, but texts of model.source with 999: run"
    with pytest.raises(InvalidInput, match=told):
        folders_of(data, tmp_path, node)


def test_tokens_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    shards_of(tmp_path / "ready", [[1, 2, 3]])
    (tmp_path / "ready" / "shard-00000.offsets").unlink()
    source = a_data(tmp_path, path="ready", format="Tokens").sources[1]

    with pytest.raises(InvalidInput, match=r"^data\.sources\[1\]: .*offsets is missing"):
        check_source(source, tmp_path / "ready", "data.sources[1]", DIGEST)


GOOD, BAD = '{"text": "1 2 3"}\n', "no json\n"


def check(folder: Path, **source: Any) -> None:
    asked = a_data(folder.parent, **source).sources[1]
    check_source(asked, folder, "data.sources[1]", DIGEST)


def test_a_document_that_can_t_be_read_is_found_by_the_check(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.jsonl").write_text(40 * GOOD + BAD)

    with pytest.raises(
        InvalidInput, match=r"^data\.sources\[1\]\.path: .*line 41: is not JSON.*badDocumentsMax$"
    ):
        check(folder)
    check(folder, badDocumentsMax=1)


def test_of_much_text_the_first_document_of_every_file_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHECKED_CHARACTERS", 10)
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_text(2 * GOOD + BAD)

    check(folder)
    (folder / "README.md").write_text("# Not data\n")
    with pytest.raises(InvalidInput, match=r"README\.md, line 1: is not JSON"):
        check(folder)


def test_an_object_in_place_of_text_may_be_corrected_or_left_out(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"text": {"role": "user"}}\n')

    with pytest.raises(InvalidInput, match=r'holds {"role":"user"} and no text: correct .*Max$'):
        check(tmp_path / "b.jsonl")


def test_what_would_be_right_is_said_alone(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1" + bytes(20))

    with pytest.raises(InvalidInput, match=r"set format to Parquet, or write it as JSONL$"):
        check(tmp_path / "a.parquet")


def test_tokens_of_another_tokenizer_are_refused(tmp_path: Path) -> None:
    shards_of(tmp_path / "ready", [[1, 2, 3]])
    source = a_data(tmp_path, path="ready", format="Tokens").sources[1]

    with pytest.raises(InvalidInput, match="was tokenized by another tokenizer"):
        check_source(source, tmp_path / "ready", "data.sources[1]", "other")
