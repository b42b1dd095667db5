"""A source specifies where another trainer's checkpoints are, and how to read them."""

from typing import Any

import pytest

from lccp.api.spec.source import SourceSpec
from lccp.contract.errors import InvalidInput

GIVEN = {"path": "checkpoints", "contextLength": "4K", "untilTokens": "2B"}


def source(**given: Any) -> SourceSpec:
    return SourceSpec.parse(GIVEN | given, "source")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"complete": {"marker": "DONE", "quietSeconds": 1}}, "exclude each other"),
        ({"tokens": {"tokensPerStep": "4M", "index": "tokens.yaml"}}, "exclude each other"),
        ({"convert": "convert {input}"}, "must name {input} and {output}"),
        ({"path": "hf://organisation/name"}, "must be a folder or s3://"),
    ],
)
def test_what_contradicts_itself_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        source(**given)


def test_a_checkpoint_comes_late_by_less_than_a_step() -> None:
    assert source(tokens={"tokensPerStep": "4M"}).tokens_per_step == 4_000_000
    assert source().tokens_per_step == 1
