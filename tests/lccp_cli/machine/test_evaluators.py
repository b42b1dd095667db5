"""Of a run that is attached to another trainer, evaluations and copies are counted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.planning.devices import USABLE
from lccp.cost.planning.evaluators import EvaluatorMemory
from lccp.model_config import read_model_config
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


def test_doctor_counts_the_devices_that_an_evaluators_processes_share() -> None:
    alone = load_manifest(FOLDER / "run.yaml")
    spec = alone.spec.evaluation.model_copy(update={"processes": 2})
    both = alone.model_copy(update={"spec": alone.spec.model_copy(update={"evaluation": spec})})
    model = Architecture.from_config(read_model_config(FOLDER / alone.spec.model.source))
    tokens = alone.spec.model.target_context_length
    half, whole = (EvaluatorMemory.of(model, tokens, shards).total for shards in (2, 1))
    devices = Accelerators(count=2, memory_bytes=int((half + whole) / 2 / USABLE))

    def fits(run: LCCPRun) -> bool:
        found = checks(run, FOLDER, devices, 2**40, 2**50)
        return next(check.ok for check in found if check.name == "memory of it")

    assert not fits(alone)
    assert fits(both)


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


def test_options_of_a_training_are_refused(lccp: Lccp) -> None:
    result = lccp("estimate", RUN, "--flops-per-second", "1e15")

    assert result.exit_code == 2
    assert result.stderr.startswith("lccp: --flops-per-second: leave it out, ")
    with pytest.raises(InvalidInput, match=r"^--price: leave it out, .* is another"):
        DeviceOptions(price=3.0, model=FOLDER).refuse_training()
