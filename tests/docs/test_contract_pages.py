"""Pages of reference, from the types."""

import pytest

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from reference.contract import OBJECTS, render_exits, render_reference, render_store


def rows(page: str) -> dict[str, list[str]]:
    """Cells by the first one, without backquotes."""
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line[2:-2].split(" | ")] for line in lines]
    return {cell[0].strip("`"): cell[1:] for cell in cells}


REFERENCE = render_reference()


def section(path: str) -> str:
    return REFERENCE.split(f"## {path}\n", 1)[1].split("\n## ", 1)[0]


@pytest.mark.parametrize(
    ("part", "field", "kind", "default", "bounds", "changes"),
    [
        ("spec.training", "tokens", "tokens", "required", None, "live: may be raised"),
        ("spec.training", "microBatchSize", "integer", "`1`", "1 to 1,024", "next attempt"),
        ("spec.training", "learningRate", "decimal", "required", "> 0 and <= 1", "identity"),
        ("spec.model", "targetContextLength", "length", "required", None, "identity"),
        ("spec.data", "sources[].kind", "`Short`, `Long`", "required", "", "identity"),
        ("spec.topology", "env", "list of object", None, "<= 64", "next attempt"),
        ("spec.topology", "resources.limits", "map of quantity", "", "<= 16", "next attempt"),
        ("spec.topology", "podTemplate.spec", "free object", "", "", "next attempt"),
    ],
)
def test_a_field_is_told_by_type_default_bounds_and_class(
    part: str, field: str, kind: str, default: str | None, bounds: str | None, changes: str
) -> None:
    found = rows(section(part))[field]

    assert found[0] == kind
    assert default is None or found[1] == default
    assert bounds is None or found[2] == bounds
    assert found[3] == changes
    assert found[4].endswith(".")


def test_a_status_has_no_class_of_change() -> None:
    assert "| field | type | default | bounds | meaning |" in section("status.progress")


def test_sentences_of_refusal_stand_where_they_are_told() -> None:
    assert "- source names must be distinct" in section("spec.data")
    assert "must be a decimal" not in section("spec.data")
    assert "- metadata.name must have at most 40 characters" in section("metadata")


def test_every_object_of_the_store_has_its_writer() -> None:
    page = render_store()

    assert page.count("\n## ") == len(OBJECTS)
    assert "## `journal.json`\n\nThe decisions made and the endings observed. Written by" in page
    assert "| `checkpoints` | list of integer |" in page


def test_every_code_and_cause_is_explained() -> None:
    found = rows(render_exits())

    assert {str(code.value) for code in ExitCode} <= set(found)
    assert set(Cause) <= set(found)
    assert found["Hang"][1] == "yes"
    assert all(found[str(code.value)][1].endswith(".") for code in ExitCode)
