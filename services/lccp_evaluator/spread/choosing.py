"""In how many shards a model is evaluated if nobody says: as few as fit on this machine."""

import logging
from contextlib import suppress
from pathlib import Path

import torch

from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.planning.evaluators import EvaluatorMemory, shards_that_fit
from lccp.cost.shards import divisors
from lccp.report.text import bytes_text
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.model.loading import read_config
from lccp_evaluator.model.memory import PLANNED, memory_bytes

logger = logging.getLogger("lccp_evaluator.spread.choosing")


def chosen_plan(
    directory: Path, execution: Execution, longest: int, trust_remote_code: bool
) -> ExecutionPlan:
    """The plan for the model in `directory` and prompts of up to `longest` tokens on this machine.

    Unless `execution` says how many, its processes share the model in the fewest shards that fit. A
    model whose memory is not counted is not shared, nor what a CPU's processes can't share.

    Raises InvalidInput if it exceeds a device, and another number of processes would do.
    """
    plan = ExecutionPlan.here(execution)
    model = None if execution.shards else _counted(directory, trust_remote_code)
    if model is None or (plan.device == "cpu" and not _shared_on_a_cpu(model)):
        return plan
    room, value = memory_bytes(plan.device, execution.sharing), plan.torch_dtype.itemsize
    usable = int(PLANNED * room)
    shards = shards_that_fit(model, longest, usable, value, divisors(execution.processes))
    memory = EvaluatorMemory.of(model, longest, 1, value)
    if shards is not None:
        if shards > 1:
            logger.info(
                "the model is shared by %d devices: it takes %s, and one has %s",
                *(shards, bytes_text(memory.total), bytes_text(room)),
            )
        return plan.model_copy(update={"shards": shards})
    would_do = shards_that_fit(model, longest, usable, value)
    exceeds = memory.weights + memory.cache > room  # whatever the size of passes
    if plan.device == "cuda" and would_do is not None and exceeds:
        raise InvalidInput(
            f"{directory}: takes {bytes_text(memory.total)} of memory to evaluate, and a device "
            f"has {bytes_text(room)}: {would_do} processes, or a multiple of it, can share it "
            "(evaluation.processes, --processes)"
        )
    return plan


def _shared_on_a_cpu(model: Architecture) -> bool:
    """Whether processes of a CPU can share `model`: experts, where there are no CUDA devices."""
    return bool(model.routed_parameters) and not torch.cuda.device_count()


def _counted(directory: Path, trust_remote_code: bool) -> Architecture | None:
    with suppress(InvalidInput):  # a damaged model is reported when it is loaded
        return Architecture.from_config(read_config(directory, trust_remote_code).to_dict())
    return None
