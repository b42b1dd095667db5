"""Excerpts of manifests on the pages: numbers of tokens are written as a manifest takes them."""

import re
from pathlib import Path

import pytest

from lccp.contract.quantities import TOKENS

ROOT = Path(__file__).parents[2]
YAML = re.compile(r"^```yaml\n(.*?)^```", re.DOTALL | re.MULTILINE)
COUNTS = re.compile(r"\b(?:tokens|\w+Tokens): (\[[^\]]*\]|\w+)")
FOUND = [
    (page.name, count)
    for page in sorted((ROOT / "docs").rglob("*.md"))
    for block in YAML.findall(page.read_text(encoding="utf-8"))
    for counts in COUNTS.findall(block)
    for count in re.findall(r"\d+[A-Za-z]+", counts)
]


@pytest.mark.parametrize(("page", "count"), FOUND)
def test_a_number_of_tokens_is_one_that_a_manifest_takes(page: str, count: str) -> None:
    assert TOKENS.parse(count), page


def test_there_are_some() -> None:
    assert len(FOUND) > 5
