"""The journal, including journals written by older versions."""

import json

import pytest

from lccp.api.objects.journal import Journal, Pinned
from lccp.contract.errors import InvalidInput

OUTCOME = {"checkpointDigest": "d", "result": "Succeeded"}


def test_version_1_named_evaluations_by_their_checkpoint_alone() -> None:
    old = {"schemaVersion": 1, "evaluations": {"000000000004096": OUTCOME}}

    journal = Journal.from_json(json.dumps(old).encode(), "journal.json")

    assert list(journal.evaluations) == ["000000000004096/intrinsic"]
    assert journal.schema_version == 2
    assert Journal.from_json(b'{"schemaVersion": 1}', "journal.json") == Journal()


def test_what_version_1_never_wrote_is_damaged() -> None:
    with pytest.raises(InvalidInput, match=r"^journal\.json: is not a Journal of schema version 1"):
        Journal.from_json(b'{"schemaVersion": 1, "evaluations": [1]}', "journal.json")


@pytest.mark.parametrize("given", [{}, None])
def test_templates_that_are_empty_are_yet_to_be_pinned(given: object) -> None:
    assert Pinned.parse_stored({"templates": given}, "journal.json").templates is None
    assert Pinned.parse_stored({"templates": {"runServiceAccount": "a"}}, "j").templates is not None
