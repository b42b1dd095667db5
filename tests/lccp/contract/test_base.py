"""Values of the contract: their external names, what they refuse, and with what message."""

from typing import Annotated

import pytest
from pydantic import Field

from lccp.contract.base import MESSAGE_LENGTH_MAX, Contract, Message, field_path
from lccp.contract.errors import InvalidInput


class Source(Contract):
    weight: Annotated[float, Field(ge=0)] = 1.0


class Spec(Contract):
    global_batch: int
    sources: tuple[Source, ...] = ()
    note: str | None = None


class Told(Contract):
    message: Message = ""


def refusal(document: object) -> str:
    with pytest.raises(InvalidInput) as refused:
        Spec.parse(document, "run.yaml")
    return str(refused.value)


def test_names_are_camel_case_outside_and_what_is_unset_is_left_out() -> None:
    spec = Spec(global_batch=1, sources=(Source(),))

    assert spec.document() == {"globalBatch": 1, "sources": [{"weight": 1.0}]}
    assert Spec.parse(spec.document(), "run.yaml") == spec


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "run.yaml: globalBatch: is required"),
        (
            {"globalBatch": 1, "more": 2},
            "run.yaml: more: there is no such field; docs/reference/lccprun.md lists all fields",
        ),
        (
            {"globalBatch": 1, "sources": [{}, {"weight": -1}]},
            "run.yaml: sources[1].weight: input should be greater than or equal to 0, not -1",
        ),
        ({"sources": 1}, "run.yaml: globalBatch: is required (and 1 more)"),
        ([], "run.yaml: input should be a valid dictionary or instance of Spec, not []"),
    ],
)
def test_a_refusal_is_one_sentence_with_the_path(document: object, sentence: str) -> None:
    assert refusal(document) == sentence


def test_a_stored_value_may_have_fields_of_a_newer_version() -> None:
    document = {"globalBatch": 1, "sources": [{"weight": 2, "newer": 1}], "newer": {}}

    assert Spec.parse_stored(document, "key") == Spec(global_batch=1, sources=(Source(weight=2),))


def test_a_value_does_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Source().weight = 2.0


@pytest.mark.parametrize("length", [MESSAGE_LENGTH_MAX, MESSAGE_LENGTH_MAX + 1, 10_000])
def test_a_message_that_is_too_long_is_cut_not_refused(length: int) -> None:
    message = Told(message="x" * length).message

    assert len(message) == MESSAGE_LENGTH_MAX
    assert message.endswith("…") == (length > MESSAGE_LENGTH_MAX)


@pytest.mark.parametrize(
    ("location", "path"),
    [((), ""), (("data", "sources", 0, "weight"), "data.sources[0].weight"), ((1, "a"), "[1].a")],
)
def test_a_path_is_written_as_in_a_manifest(location: tuple[int | str, ...], path: str) -> None:
    assert field_path(location) == path
