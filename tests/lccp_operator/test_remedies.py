"""Every field that a message of the operator says to change can be changed."""

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

ROOT = Path(__file__).parents[2]
MODULES = [
    *sorted((ROOT / "operator" / "lccp_operator").rglob("*.py")),
    ROOT / "lccp/api/causes.py",
]
FIELD = re.compile(r"(?<![\w.{])[a-z][A-Za-z]*(?:\.[a-z][A-Za-z]*)+")
STATED = {"checkpoints.storeName"}
"""Named as what is, not as what to change."""


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


@pytest.mark.slow
def test_messages_name_fields() -> None:
    assert {"training.activationCheckpointing", "evaluation.retries"} <= named_in_modules()


@pytest.mark.parametrize("field", sorted(named_in_modules() - STATED))
def test_a_field_that_a_message_names_may_be_changed(field: str) -> None:
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
