"""JSON schemas of the contract's types, in the form that the API server accepts: structural."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lccp.contract.base import Contract
from lccp.contract.cel import OWN, VALIDATIONS
from lccp.contract.changes import CHANGE, HOW, Change
from lccp.contract.quantities import decimal_string

Schema = dict[str, Any]
NULL = {"type": "null"}
KEPT = (
    "description",
    "type",
    "format",
    "nullable",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
)


def structural(model: type[Contract]) -> Schema:
    """The schema of `model`: references inlined, optional fields without null, defaults by level.

    The default of an object is empty, and its fields' own defaults fill it. Where rules apply to
    the object, its default is written out, since the API server checks it before it is filled.
    LCCP's own keys (`x-lccp-…`) stay; `bare` removes them.
    """
    schema = model.model_json_schema(by_alias=True)
    return _converted(schema, schema.get("$defs", {}))


def _converted(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    schema = _resolved(schema, definitions)
    out = {key: schema[key] for key in KEPT if key in schema}
    out |= {key: value for key, value in schema.items() if key.startswith("x-")}
    if "x-kubernetes-int-or-string" in schema:
        out["anyOf"] = schema["anyOf"]
    if "const" in schema:
        out["enum"] = [schema["const"]]
    if "exclusiveMaximum" in schema:
        out["maximum"] = schema["exclusiveMaximum"] - 1
    if "default" in out:
        out["default"] = _written(out["default"])
        if out["default"] is None:
            del out["default"]
    if schema.get("type") == "object":
        out |= _object(schema, definitions)
    if "items" in schema:
        out["items"] = _converted(schema["items"], definitions)
    return out


def _object(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    out: Schema = {}
    if "properties" in schema:
        properties = schema["properties"].items()
        out["properties"] = {name: _converted(value, definitions) for name, value in properties}
        if schema.get("default") is not None and VALIDATIONS not in schema:
            out["default"] = {}
    elif isinstance(values := schema.get("additionalProperties"), dict):
        out["additionalProperties"] = _converted(values, definitions)
    return out


def _written(default: Any) -> Any:
    """A default as a manifest would write it: decimals in quotes, nothing unset."""
    if isinstance(default, dict):
        return {name: _written(value) for name, value in default.items() if value is not None}
    return decimal_string(default) if isinstance(default, float) else default


def _resolved(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """`schema` with its reference followed, and without the null that an optional field allows.

    Null is a distinct value only where the default is not null.
    """
    own = {key: value for key, value in schema.items() if key != "$ref"}
    if reference := schema.get("$ref"):
        target = definitions[reference.rsplit("/", 1)[1]]
        return _resolved({**target, **own}, definitions)
    if NULL in schema.get("anyOf", ()):
        (one,) = (branch for branch in schema["anyOf"] if branch != NULL)
        del own["anyOf"]
        nullable = {"nullable": True} if schema.get("default") is not None else {}
        return _resolved({**one, **own, **nullable}, definitions)
    return schema


def bare(schema: Any) -> Any:
    """`schema` without LCCP's own keys."""
    if isinstance(schema, list):
        return [bare(value) for value in schema]
    if isinstance(schema, dict):
        return {key: bare(value) for key, value in schema.items() if not key.startswith(OWN)}
    return schema


@dataclass(frozen=True)
class Field:
    """A field of a schema: its path below the root, its own schema, whether it is required."""

    path: str
    schema: Schema
    required: bool
    change: Change | None
    """None: no class is declared, as in a status."""
    how: str = ""
    """Which changes are allowed, if not all."""


def fields(schema: Schema, path: str = "", change: str | None = None) -> Iterator[Field]:
    """All fields below `schema`, depth first; a class also applies to the fields below it."""
    for name, value in schema.get("properties", {}).items():
        own = value.get(CHANGE, change)
        required, how = name in schema.get("required", ()), value.get(HOW, "")
        field = Field(f"{path}.{name}", value, required, Change(own) if own else None, how)
        yield field
        yield from fields(value, field.path, own)
        if "items" in value:
            yield from fields(value["items"], f"{field.path}[]", own)
        if "additionalProperties" in value:
            yield from fields(value["additionalProperties"], f"{field.path}{{}}", own)
