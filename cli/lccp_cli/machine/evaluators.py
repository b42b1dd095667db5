"""What evaluators ask of a machine.

Of a run that is attached to another trainer, this and the copies of its checkpoints is all that
LCCP needs.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lccp.api.run import LCCPRun
from lccp.api.spec.source import SourceSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token
from lccp.cost.memory import FP32_BYTES
from lccp.cost.planning.devices import USABLE
from lccp.cost.planning.evaluators import (
    ELEMENT_BYTES,
    EvaluatorMemory,
    shards_of,
)
from lccp.model_config import CONFIG, read_model_config
from lccp.report.text import bytes_text, length_text, scientific_text, tokens_text
from lccp_cli.machine.checks import Check

if TYPE_CHECKING:
    from lccp_trainer.launch.accelerators import Accelerators

NOT_OURS = "another trainer's (spec.source): only its checkpoints' evaluations are counted"
PASSES = 3
"""Of the operations of a training, a forward pass takes one in three."""


def about_training(option: str) -> InvalidInput:
    """The refusal of an option that is about the training of an attached run."""
    return InvalidInput(f"{option}: leave it out, since the training is {NOT_OURS}")


def lines(run: LCCPRun, config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What `lccp estimate` prints of an attached run.

    Raises InvalidInput if the model type of `config` (its config.json) can't be counted.
    """
    model, tokens = Architecture.from_config(config), run.spec.model.target_context_length
    held = EvaluatorMemory.of(model, tokens, run.spec.evaluation.shards)
    checkpoints, each = _checkpoints(run), _checkpoint_bytes(model, config)
    yield "training", NOT_OURS
    yield "parameters", tokens_text(model.parameters)
    yield "active parameters", tokens_text(model.active_parameters)
    yield "context length", f"{length_text(tokens)} tokens"
    prompt = tokens * flops_per_token(model, tokens) / PASSES
    yield "FLOPs of a longest prompt", scientific_text(prompt)
    yield "", "lccp evaluate MODEL --dry-run counts all prompts of an evaluation"
    yield "memory of an evaluator", f"{bytes_text(held.total)} in bfloat16, on a GPU"
    yield "  weights", bytes_text(held.weights)
    yield "  keys and values", bytes_text(held.cache)
    yield "  passes", bytes_text(held.passes)
    yield "a checkpoint in the store", bytes_text(each)
    yield f"all {checkpoints} of them", bytes_text(checkpoints * each)


def checks(
    run: LCCPRun,
    source: SourceSpec,
    folder: Path,
    found: "Accelerators",
    memory: int | None,
    disk: int,
) -> Iterator[Check]:
    """What `lccp doctor` says of an attached run; arguments as those of `of_run.checks`."""
    yield Check("training", True, NOT_OURS, needed=False)
    yield _folder(source, folder)
    model_folder = folder / run.spec.model.source
    if not (model_folder / CONFIG).is_file():
        seen = f"unknown: {run.spec.model.source} has no {CONFIG} here"
        yield Check("memory of it", True, seen, needed=False)
        return
    config = read_model_config(model_folder)
    try:
        model = Architecture.from_config(config)
    except InvalidInput as error:
        yield Check("memory of it", True, f"unknown: {error}", needed=False)
        return
    yield _memory(run, model, found, memory)
    size = _checkpoints(run) * _checkpoint_bytes(model, config)
    seen = f"{bytes_text(size)} for copies of {_checkpoints(run)} checkpoints"
    advice = (
        f"only {bytes_text(disk)} are free here: free some space, or point --store to a "
        "larger volume"
    )
    yield Check("disk of it", size <= disk, seen, advice)


def _folder(source: SourceSpec, folder: Path) -> Check:
    name = "checkpoints"
    if source.bucket is not None:
        return Check(name, True, f"{source.path} was not looked at", needed=False)
    path = folder / source.path
    if path.exists() and not path.is_dir():
        return Check(name, False, f"{path} is no folder", "source.path: name a folder")
    state = "exists" if path.is_dir() else "does not exist yet: the run waits for it"
    return Check(name, True, f"{path} {state}")


def _memory(run: LCCPRun, model: Architecture, found: "Accelerators", memory: int | None) -> Check:
    """Of an evaluator: of one process on the first device, or of all, in float32, on the CPU."""
    has_device, tokens = bool(found.count), run.spec.model.target_context_length
    usable, where, together, value_bytes = memory, "of this machine", 1, ELEMENT_BYTES
    if has_device:
        usable, where = int(USABLE * found.memory_bytes), "of a device"
    else:
        together, value_bytes = run.spec.evaluation.processes, FP32_BYTES
    shards = run.spec.evaluation.shards
    if usable is not None and (has_device or model.routed_parameters):
        shards = shards_of(run, model, usable // together, value_bytes)
    held = together * EvaluatorMemory.of(model, tokens, shards, value_bytes).total
    room = "" if usable is None else f" of {bytes_text(usable)} {where}"
    advice = "evaluate on a larger device: lccp plan --device says what fits"
    fits = usable is None or held <= usable
    return Check("memory of it", fits, f"{bytes_text(held)}{room} for an evaluator", advice)


def _checkpoints(run: LCCPRun) -> int:
    """Checkpoints until the other trainer's budget, if it saves as often as the manifest says."""
    return len(run.spec.checkpoints.due(run.spec.budget_tokens))


def _checkpoint_bytes(model: Architecture, config: Mapping[str, Any]) -> int:
    kind = config.get("dtype") or config.get("torch_dtype")
    return model.parameters * (FP32_BYTES if kind == "float32" else ELEMENT_BYTES)
