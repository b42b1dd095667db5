from pathlib import Path
from typing import Any

import pytest

from lccp.cost.architecture import Architecture
from lccp.cost.memory import Memory, TrainingSettings
from lccp.model_config import read_model_config
from lccp_cli.machine.checks import Check
from lccp_cli.machine.of_run import checks
from lccp_cli.manifest import load_manifest
from lccp_trainer.launch.accelerators import Accelerators

TINY = Path(__file__).parents[3] / "examples" / "tiny"
LARGE = Path(__file__).parents[3] / "examples" / "qwen3-moe-one-node"
NONE = Accelerators()
H100 = Accelerators(8, "NVIDIA H100", 80 * 2**30, bf16=True)


def told(
    found: Accelerators = NONE, memory: int = 2**40, disk: int = 2**50, **spec: Any
) -> dict[str, Check]:
    run = load_manifest(TINY / "run.yaml")
    changed = run.model_copy(
        update={
            "spec": run.spec.model_copy(
                update={
                    name: getattr(run.spec, name).model_copy(update=fields)
                    for name, fields in spec.items()
                }
            )
        }
    )
    return {check.name: check for check in checks(changed, TINY, found, memory, disk)}


@pytest.mark.slow
def test_the_tiny_example_can_be_carried_out() -> None:
    found = told()
    assert {name: check.ok for name, check in found.items()} == {
        "model, data": True,
        "memory of it": True,
        "disk of it": True,
    }


@pytest.mark.slow
def test_what_the_trainer_would_refuse_is_said_with_its_field() -> None:
    missing = told(model={"source": "none"})["model, data"]
    assert not missing.ok
    assert missing.advice.startswith("model.source: there is no folder")
    layout = told(topology={"nodes": 3})["model, data"]
    assert layout.advice.startswith("training.globalBatchTokens: ")


def test_what_lies_elsewhere_is_not_looked_at() -> None:
    found = told(model={"source": "hf://org/base"})
    assert found["model, data"].ok
    assert "hf://org/base is fetched when the run starts" in found["model, data"].seen


def test_devices_that_are_asked_for_must_be_here() -> None:
    asked = {"accelerator_resource_name": "nvidia.com/gpu", "nodes": 1, "processes_per_node": 8}
    assert not told(topology=asked)["devices of it"].ok
    assert told(topology=asked)["devices of it"].seen.endswith(
        "8 nvidia.com/gpu are requested, 0 are available"
    )
    assert told(H100, topology=asked)["devices of it"].ok
    assert "bf16 of it" not in told(H100, topology=asked)
    old = Accelerators(8, "NVIDIA V100", 2**34, bf16=False)
    assert not told(old, topology=asked, training={"precision": "BF16"})["bf16 of it"].ok


def test_memory_is_that_of_a_device_or_of_all_processes() -> None:
    assert not told(memory=2**20)["memory of it"].ok
    asked = {"accelerator_resource_name": "nvidia.com/gpu"}
    assert told(H100, memory=2**20, topology=asked)["memory of it"].ok
    run = load_manifest(TINY / "run.yaml")
    model = Architecture.from_config(read_model_config(TINY / "model"))
    held = 2 * Memory.of(model, TrainingSettings.of(run)).total
    copies = 16 * model.parameters  # A checkpoint in FP32, and weights and moments.
    assert not told(memory=held + copies - 2)["memory of it"].ok
    assert told(memory=held + copies)["memory of it"].ok
    small = Accelerators(2, "small", 2**20)
    assert not told(small, topology=asked)["memory of it"].ok


def test_a_disk_must_hold_the_checkpoints_and_states() -> None:
    (full,) = (check for name, check in told(disk=2**20).items() if name == "disk of it")
    assert not full.ok
    assert "checkpoints and their states" in full.seen
    assert full.advice.startswith("only 1 MiB are free here")
