import bz2
import gzip
import json
import lzma
from pathlib import Path
from typing import Any

import pytest

from lccp.contract.errors import InvalidInput
from lccp_trainer.data.records.reading import (
    Completion,
    Conversation,
    Unusable,
    read_records,
)

USER, ANSWER = {"role": "user", "content": "u"}, {"role": "assistant", "content": "a"}


def read(tmp_path: Path, data: bytes) -> list[Any]:
    file = tmp_path / "records.jsonl"
    file.write_bytes(data)
    return [record for _, record in read_records(file, "sft.path")]


def one(tmp_path: Path, document: Any) -> Any:
    (found,) = read(tmp_path, json.dumps(document).encode())
    return found


def test_prompts_and_conversations_may_stand_in_one_file(tmp_path: Path) -> None:
    lines = [{"prompt": "p", "completion": "c", "id": 7}, {"messages": [USER, ANSWER]}]
    data = "\n\n".join(map(json.dumps, lines)).encode()
    assert read(tmp_path, data) == [Completion("p", "c"), Conversation((USER, ANSWER))]


def test_places_are_lines_as_an_editor_counts_them(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_bytes(b'\xef\xbb\xbf{"prompt": "", "completion": "c"}\n\n{"a": 1}\n')
    places = [(place.rpartition("/")[2], record) for place, record in read_records(file, "sft")]
    assert [place for place, _ in places] == ["records.jsonl, line 1", "records.jsonl, line 3"]
    assert places[0][1] == Completion("", "c")


def test_packed_files_are_known_by_their_content(tmp_path: Path) -> None:
    for module in (gzip, bz2, lzma):
        packed = module.compress(b'{"prompt": "p", "completion": "c"}\n')
        assert read(tmp_path, packed) == [Completion("p", "c")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"PAR1", "is a Parquet file"), ("{}".encode("utf-16"), "is UTF-16 text: save it as UTF-8")],
)
def test_a_file_of_another_kind_is_named_for_what_it_is(
    tmp_path: Path, data: bytes, reason: str
) -> None:
    with pytest.raises(InvalidInput, match=rf"^sft.path: .*records.jsonl {reason}"):
        read(tmp_path, data)


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^sft.path: .*records.jsonl can't be read"):
        read(tmp_path, gzip.compress(b"x" * 10_000)[:30])


def test_what_follows_the_last_answer_is_left_out(tmp_path: Path) -> None:
    found = one(tmp_path, {"messages": [USER, ANSWER, USER]})
    assert found == Conversation((USER, ANSWER))


def test_templates_get_whatever_else_a_conversation_has(tmp_path: Path) -> None:
    calls, tools = {"tool_calls": [{"function": {"name": "f"}}]}, [{"name": "f"}]
    found = one(tmp_path, {"messages": [USER, ANSWER | calls], "tools": tools})
    assert found == Conversation((USER, ANSWER | calls), ({"name": "f"},))
    assert one(tmp_path, {"messages": [USER, ANSWER], "tools": []}).tools is None


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ([1], "begins a JSON array: write one object per line"),
        (1, "is not a JSON object"),
        ({"text": "t"}, "has neither messages, nor prompt and completion"),
        ({"prompt": "p"}, "has neither messages, nor prompt and completion"),
        ({"prompt": None, "completion": "c"}, "prompt holds null and no text"),
        ({"prompt": "p", "completion": ""}, "completion is empty"),
        ({"prompt": "p", "completion": "\ud800"}, "completion contains half of a surrogate pair"),
        ({"messages": {}}, "messages is not a list"),
        ({"messages": [USER, ANSWER], "tools": "f"}, "tools is not a list"),
        (
            {"messages": [USER, ANSWER | {"name": "\ud800"}]},
            "messages or tools: contains half of a surrogate pair",
        ),
        ({"messages": []}, "messages contains none with the role assistant"),
        ({"messages": [USER]}, "messages contains none with the role assistant"),
        ({"messages": [{"role": "user"}, ANSWER]}, "messages[0].content holds null and no text"),
        ({"messages": [USER, "a"]}, "messages[1].role holds null and no text"),
        ({"messages": [USER, ANSWER | {"content": " \n"}]}, "messages[1].content is empty"),
    ],
)
def test_a_record_that_nothing_can_be_learnt_from_says_why(
    tmp_path: Path, document: Any, reason: str
) -> None:
    found = one(tmp_path, document)
    assert isinstance(found, Unusable)
    assert found.reason.startswith(reason)


@pytest.mark.parametrize(
    ("line", "reason"),
    [(b"{", "is not JSON"), (b'{"prompt": "\xe9"}', "is not UTF-8 text (byte 0xe9)")],
)
def test_a_line_that_is_no_json_says_so(tmp_path: Path, line: bytes, reason: str) -> None:
    assert read(tmp_path, line) == [Unusable(reason)]
