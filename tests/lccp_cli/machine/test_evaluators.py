"""Of a run that is attached to another trainer, evaluations and copies are counted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lccp.contract.errors import InvalidInput
from lccp_cli.machine.checks import Check
from lccp_cli.machine.of_run import checks
from lccp_cli.manifest import load_manifest
from lccp_cli.output.device_plan import DeviceOptions
from lccp_trainer.launch.accelerators import Accelerators

Lccp = Callable[..., Result]
FOLDER = Path(__file__).parents[3] / "examples" / "attached"
RUN = str(FOLDER / "run.yaml")
NOT_OURS = "another trainer's (spec.source)"


def told(memory: int = 2**40, disk: int = 2**50) -> dict[str, Check]:
    run = load_manifest(FOLDER / "run.yaml")
    return {check.name: check for check in checks(run, FOLDER, Accelerators(), memory, disk)}


def test_doctor_tells_memory_and_disk_and_that_the_training_is_anothers() -> None:
    found = told()

    assert NOT_OURS in found["training"].seen
    assert all(check.ok for check in found.values())
    assert "for copies of 12 checkpoints" in found["disk of it"].seen
    assert "does not exist yet" in found["checkpoints"].seen
    small = told(memory=1, disk=1)
    assert not small["memory of it"].ok
    assert not small["disk of it"].ok


def test_estimate_tells_what_evaluations_take(lccp: Lccp) -> None:
    result = lccp("estimate", RUN)

    assert result.exit_code == 0, result.output
    assert NOT_OURS in result.output
    assert "memory of an evaluator" in result.output
    assert "all 12 of them" in result.output


def test_a_plan_on_a_device_holds_the_evaluator_alone(lccp: Lccp) -> None:
    result = lccp("plan", RUN, "--device", "h100-80g")
    as_json = lccp("plan", RUN, "--device", "h100-80g", "--json")

    assert result.exit_code == as_json.exit_code == 0, result.output
    assert NOT_OURS in result.output
    assert "evaluation.shards: 1" in result.output
    assert json.loads(as_json.stdout).keys() == {"evaluator"}


def test_options_of_a_training_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^--price: leave it out, .* is another"):
        DeviceOptions(price=3.0, model=FOLDER).refuse_training()
