"""Structural schemas, which an API server accepts, from the contract's types."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.cel import KIND, VALIDATIONS, Rule, rules
from lccp.contract.changes import IDENTITY, LIVE, Change
from lccp.contract.schema import bare, fields, structural


class Part(Contract):
    """A part."""

    share: Annotated[float | None, Field(description="Share.")] = 0.5
    name: Annotated[str, Field(min_length=1, description="Name.", json_schema_extra=LIVE)] = "a"


class Judged(Contract):
    """A part that a rule judges."""

    model_config = ConfigDict(json_schema_extra=rules(Rule("self.rate > 0", "above 0")))

    rate: Annotated[float, Field(description="Rate.")] = 1e-5
    note: Annotated[str | None, Field(description="Note.")] = None


class Whole(Contract):
    """A whole."""

    kind: Annotated[Literal["Whole"], Field(description="Kind.")]
    count: Annotated[StrictInt, Field(ge=0, lt=10, description="Count.")] = 0
    part: Annotated[Part, Field(description="The part.", json_schema_extra=IDENTITY)] = Part()
    judged: Annotated[Judged, Field(description="Judged.")] = Judged()
    parts: Annotated[tuple[Part, ...], Field(max_length=2, description="Parts.")] = ()
    by_name: Annotated[dict[str, Part], Field(max_length=3, description="By name.")] = {}
    maybe: Annotated[Part | None, Field(description="A part, or none.")] = None


SCHEMA = structural(Whole)
PROPERTIES = SCHEMA["properties"]


def keys(schema: Any) -> set[str]:
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if isinstance(schema, dict):
        return set(schema).union(*map(keys, schema.values()))
    return set()


def test_references_are_followed_and_a_fields_own_description_stays() -> None:
    assert not keys(SCHEMA) & {"$ref", "$defs", "anyOf", "title", "const", "exclusiveMaximum"}
    assert PROPERTIES["part"]["description"] == "The part."
    assert PROPERTIES["parts"]["items"]["properties"]["name"]["minLength"] == 1
    assert set(PROPERTIES["byName"]["additionalProperties"]["properties"]) == {"share", "name"}


def test_a_literal_is_an_enum_and_an_open_bound_a_closed_one() -> None:
    assert PROPERTIES["kind"]["enum"] == ["Whole"]
    assert (PROPERTIES["count"]["minimum"], PROPERTIES["count"]["maximum"]) == (0, 9)


def test_null_is_a_value_only_where_it_is_not_the_default() -> None:
    share, maybe = PROPERTIES["part"]["properties"]["share"], PROPERTIES["maybe"]
    assert share["nullable"] is True
    assert "nullable" not in maybe
    assert "default" not in maybe


def test_defaults_lie_with_the_fields_but_where_a_rule_judges_them() -> None:
    assert PROPERTIES["part"]["default"] == {}
    assert PROPERTIES["part"]["properties"]["name"]["default"] == "a"
    assert PROPERTIES["judged"]["default"] == {"rate": "1e-05"}
    assert PROPERTIES["judged"][VALIDATIONS][0]["message"] == "above 0"


def test_what_is_lccps_own_never_reaches_the_server() -> None:
    own = {"properties": [{KIND: "length", "type": "string"}], "x-kubernetes-thing": 1}

    assert bare(own) == {"properties": [{"type": "string"}], "x-kubernetes-thing": 1}
    assert not [key for key in keys(bare(SCHEMA)) if key.startswith("x-lccp-")]


def test_a_class_holds_for_what_lies_below_unless_that_has_its_own() -> None:
    found = {field.path: field.change for field in fields(SCHEMA)}
    assert found[".part"] is Change.IDENTITY
    assert found[".part.share"] is Change.IDENTITY
    assert found[".part.name"] is Change.LIVE
    assert found[".count"] is None


def test_fields_of_items_and_of_map_values_are_found() -> None:
    paths = [field.path for field in fields(SCHEMA)]
    assert {".parts[].share", ".byName{}.share"} <= set(paths)
    assert paths.index(".part") < paths.index(".part.share") < paths.index(".judged")
