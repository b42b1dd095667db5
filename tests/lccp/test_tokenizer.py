import json
from pathlib import Path

import pytest
from tiny_checkpoints import KINDS, a_tokenizer

from lccp.contract.errors import InvalidInput
from lccp.tokenizer import tokenizer_digest


@pytest.mark.parametrize("kind", KINDS)
def test_a_tokenizer_that_was_saved_again_has_the_same_digest(kind: str, tmp_path: Path) -> None:
    tokenizer = a_tokenizer(kind)
    tokenizer.save_pretrained(tmp_path / "once")
    tokenizer("x", truncation=True, max_length=4)
    tokenizer.save_pretrained(tmp_path / "again")
    assert tokenizer_digest(tmp_path / "again") == tokenizer_digest(tmp_path / "once")


def test_another_vocabulary_has_another_digest(tmp_path: Path) -> None:
    a_tokenizer(next(iter(KINDS))).save_pretrained(tmp_path)
    before = tokenizer_digest(tmp_path)
    path = tmp_path / "tokenizer.json"
    document = json.loads(path.read_text())
    document["model"]["vocab"]["surplus"] = 10_000
    path.write_text(json.dumps(document))
    assert tokenizer_digest(tmp_path) != before


@pytest.mark.parametrize("text", ["[]", "{", "[" * 100_000])
def test_a_damaged_tokenizer_is_refused_in_one_sentence(text: str, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(text)
    with pytest.raises(
        InvalidInput, match="is not a tokenizer in JSON: it is damaged or cut short"
    ):
        tokenizer_digest(tmp_path)


def test_a_directory_without_tokenizer_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="contains no tokenizer"):
        tokenizer_digest(tmp_path)
