"""Every field that a message of the operator, or a runbook, says to change can be changed."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lccp.api.conditions import REMEDIES
from lccp.api.identity import classes
from lccp.contract.changes import Change
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.training import Training

ROOT = Path(__file__).parents[3]
MODULES = [
    *sorted((ROOT / "operator" / "lccp_operator").rglob("*.py")),
    ROOT / "lccp/api/causes.py",
]
FIELD = re.compile(r"(?<![\w.{])[a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+")
STATED = {"checkpoints.storeName"}
"""Named as what is, not as what to change."""
RUNBOOKS = sorted((ROOT / "docs" / "runbooks").rglob("*.md"))
TO_DO = re.compile(r"^## What to do$(.*?)^## ", re.MULTILINE | re.DOTALL)
QUOTED = re.compile(r"`(?:spec\.)?([a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+)")
OF_ANOTHER_RUN = {"model.source"}
"""Named as what a further run would have."""


def texts(path: Path) -> Iterator[str]:
    """Every text in the module but docstrings."""
    tree = ast.parse(path.read_text())
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in docstrings:
            yield text


def named_in_modules() -> set[str]:
    found = (FIELD.findall(text) for module in MODULES for text in texts(module))
    return {field for fields in found for field in fields if field in classes()}


def named_in_runbooks() -> set[str]:
    """Also fields that are no fields of the spec, but look like it."""
    parts = (part for path in RUNBOOKS for part in TO_DO.findall(path.read_text(encoding="utf-8")))
    tops = {field.partition(".")[0] for field in classes()}
    named = {field for part in parts for field in QUOTED.findall(part)}
    return {field for field in named if field.partition(".")[0] in tops}


@pytest.mark.slow
def test_messages_name_fields() -> None:
    assert {"training.activationCheckpointing", "evaluation.retries"} <= named_in_modules()


@pytest.mark.parametrize("field", sorted(named_in_modules() - STATED))
def test_a_field_that_a_message_names_may_be_changed(field: str) -> None:
    assert classes()[field] is not Change.IDENTITY


@pytest.mark.parametrize("field", sorted(named_in_runbooks() - OF_ANOTHER_RUN))
def test_a_field_that_a_runbook_says_to_change_may_be_changed(field: str) -> None:
    assert classes()[field] is not Change.IDENTITY


@pytest.mark.parametrize("workload", [Training(1), Evaluation(1)])
def test_what_keeps_pods_from_running_names_fields_that_may_be_changed(
    workload: Training | Evaluation,
) -> None:
    pods, image = workload.pods_field, workload.image_field
    remedies = [remedy.format(pods=pods, image=image) for remedy in REMEDIES.values()]
    fields = {field for remedy in remedies for field in FIELD.findall(remedy)}

    assert fields >= {f"{pods}.resources", image}
    assert [f for f in fields if classes().get(f) is not Change.NEXT_ATTEMPT] == []
