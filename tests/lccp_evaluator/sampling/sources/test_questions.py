"""The user's own questions, one per line."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.sources.files import Files
from lccp_evaluator.sampling.sources.questions import Question, questions

FIELDS = ("text", "ask", "say")
WHERE = "evaluation.probes.targetPpl.path"


def a_line(**changed: Any) -> str:
    return json.dumps({"text": " a ", "ask": "b?\n", "say": "c"} | changed)


def read(folder: Path, *lines: str) -> list[Question]:
    (folder / "q.jsonl").write_text("\n".join(lines))
    return list(questions(Documents(path="q.jsonl"), FIELDS, Files(folder), WHERE))


def test_fields_are_read_without_the_white_space_around_them(tmp_path: Path) -> None:
    (found,) = read(tmp_path, a_line(other=1))

    assert (found.context, found.question, found.answer) == ("a", "b?", "c")
    assert found.where == f"{WHERE}: {tmp_path}/q.jsonl, line 1"


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    assert [one.line for one in read(tmp_path, "", a_line(), "  ", a_line())] == [2, 4]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "is not JSON: write one object a line, with 'text', 'ask' and 'say'"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "is not a JSON object with 'text', 'ask' and 'say'"),
        ("{}", "has no field 'text', but none"),
        (a_line(say=["c"]), """'say' must be a text, not ["c"]"""),
        (a_line(ask=" "), "'ask' is empty"),
    ],
    ids=["broken", "too deep", "a list", "nothing", "a list as a text", "blank"],
)
def test_a_line_that_is_no_question_is_named(tmp_path: Path, line: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^{re.escape(WHERE)}: .*line 1: {re.escape(says)}"):
        read(tmp_path, line)


def test_a_value_that_is_no_text_is_shown_cut(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, a_line(say=["x" * 100]))

    assert str(refused.value).endswith('["' + "x" * 38)
