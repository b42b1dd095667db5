import gzip
import json

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.settings.prompts import Documents
from lccp_evaluator.sampling.sources.documents import documents
from lccp_evaluator.sampling.sources.files import Files


def read(spec, base):
    return documents(spec, Files(base), "evaluation.probes.niah.haystack", "seed")


def test_documents_are_read_from_every_format(tmp_path):
    lines = "".join(json.dumps({"body": text}) + "\n" for text in ("First.", "Second."))
    (tmp_path / "plain.jsonl").write_text(lines)
    with gzip.open(tmp_path / "packed.jsonl.gz", "wt") as file:
        file.write(lines)
    (tmp_path / "note.txt").write_text("Third.")

    jsonl = Documents(path=".", text_field="body")
    text = Documents(path="note.txt", format="Text")

    assert list(read(jsonl, tmp_path)) == ["First.", "Second."] * 2
    assert list(read(text, tmp_path)) == ["Third."]


def test_blank_lines_a_byte_order_mark_and_other_names_are_read(tmp_path):
    (tmp_path / "marked.json").write_bytes(
        b'\xef\xbb\xbf{"text": "First."}\n\n{"text": "Second."}\n'
    )
    (tmp_path / "notes.jsonl").mkdir()

    assert list(read(Documents(path="."), tmp_path)) == ["First.", "Second."]


FAULTS = {
    "missing": (None, r"evaluation.probes.niah.haystack.path: .*hay.jsonl is missing"),
    "no such field": (b'{"text": "a"}\n{"words": "b"}\n', r"line 2: is not a JSON object with a t"),
    "not JSON": (b"prose\n", r"line 1: is not a JSON object"),
    "too deep": (b'{"text": ' + b"[" * 100_000, r"line 1: is not a JSON object"),
    "half a pair": (b'{"text": "a \\ud800 b"}\n', r"line 1: contains half of a surrogate pair"),
    "not text": (b"\xff\xfe\x00", r"is not UTF-8 text, or damaged"),
}


@pytest.mark.parametrize(("content", "sentence"), FAULTS.values(), ids=FAULTS.keys())
def test_a_faulty_haystack_is_refused_in_one_sentence(tmp_path, content, sentence):
    if content is not None:
        (tmp_path / "hay.jsonl").write_bytes(content)

    with pytest.raises(InvalidInput, match=sentence):
        list(read(Documents(path="hay.jsonl"), tmp_path))


def test_a_packed_haystack_that_is_damaged_is_refused(tmp_path):
    (tmp_path / "hay.jsonl.gz").write_bytes(gzip.compress(b"x")[:10] + b"\xff" * 20)

    with pytest.raises(InvalidInput, match="is not UTF-8 text, or damaged"):
        list(read(Documents(path="hay.jsonl.gz"), tmp_path))


def test_a_folder_without_documents_says_what_it_should_hold(tmp_path):
    with pytest.raises(InvalidInput, match=r"contains no .jsonl or .jsonl.gz"):
        list(read(Documents(path="."), tmp_path))
