"""How a run's checkpoints are computed: fixed and recorded at the first, used for the others."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import Field

from lccp.api.objects.report import EvaluationReport
from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput
from lccp_evaluator.model.attention import BLOCK_ROWS

STEP_TOKENS = {"cpu": 1_024, "cuda": 8_192}
"""Tokens of a pass at most, by kind of device; fewer if its memory requires that."""
LEAST_STEP_TOKENS = 64
"""Passes are not halved below this: passes so small are not what fills the memory."""
HEAD_ROWS = 1_024
ATTENTION = f"fused kernels joined by log-sums; blocks of {BLOCK_ROWS} rows if windowed or capped"
NO_REQUESTED_DEVICE = (
    "--device: this machine has no CUDA device: leave it out to measure on the CPU"
)
NO_DEVICE_OF_THE_FIRST = (
    "this machine has no CUDA device, but the first checkpoint was evaluated on one, and all "
    "others are: run it where there is one (in a run: "
    "evaluation.workload.acceleratorResourceName), or choose another folder (--out)"
)

Device = Literal["cpu", "cuda"]
DType = Literal["float32", "bfloat16"]
Way = Literal["Forked", "Stepped", "Whole", "Native", "Cached"]
CUT: frozenset[Way] = frozenset({"Forked", "Stepped", "Cached"})
"""Ways by which a prompt is read in several passes, of a size to be chosen."""
OWN: frozenset[Way] = frozenset({"Native", "Cached"})
"""Ways by the model's own attention, which shows no heads."""


@dataclass(frozen=True)
class Execution:
    """The requested execution plan; None: what suits the machine."""

    device: Device | None = None
    dtype: DType | None = None
    step_tokens: int | None = None
    processes: int = 1
    """Processes that read together, each with its own device or share of the CPU's threads."""
    shards: int | None = None
    """Number of these processes whose devices share one model; None: as few as fit."""
    jobs: int = 1
    """Checkpoints measured at a time, each by such processes."""

    @property
    def sharing(self) -> int:
        """Processes that share the machine's memory and the CPU's threads."""
        return self.jobs * self.processes

    def check(self) -> None:
        """Raise InvalidInput if this machine lacks the requested device."""
        check_device(self.device, NO_REQUESTED_DEVICE)

    def onto(self, plan: "ExecutionPlan", where: str) -> "ExecutionPlan":
        """`plan`, of the reports in `where`, with the requested size of passes.

        Raises Incompatible if the request differs from it in anything else.
        """
        options = {"device": "--device", "dtype": "--dtype", "shards": "--shards"}
        for name, option in options.items():
            asked, used = getattr(self, name), getattr(plan, name)
            if asked not in (None, used):
                raise Incompatible(
                    f"{option}: the first checkpoint in {where} was evaluated with {used}, and all "
                    "others are: leave it out, or give another folder (--out)"
                )
        return plan.model_copy(update={"step_tokens": self.step_tokens or plan.step_tokens})

    def models(self, plan: "ExecutionPlan") -> int:
        """How many models `processes` hold. Raises InvalidInput unless all shards have one."""
        if self.processes % plan.shards:
            raise InvalidInput(
                f"evaluation.processes (--processes): {self.processes} can't share models of "
                f"{plan.shards} shards each: take {plan.shards}, or a multiple of it"
            )
        return self.processes // plan.shards


AS_SUITS = Execution()


class ExecutionPlan(Contract):
    """Everything that may change the last digits of a measurement, except library versions."""

    device: Annotated[Device, Field(description="Device type.")]
    dtype: Annotated[DType, Field(description="Of weights and values.")]
    attention: Annotated[str, Field(description="Attention path.")] = ATTENTION
    threads: Annotated[int, Field(ge=1, description="Threads of the CPU.")]
    shards: Annotated[
        int, Field(ge=1, description="Devices that share a model, by its experts or layers.")
    ] = 1
    step_tokens: Annotated[int, Field(ge=1, description="Tokens of one forward pass, at most.")]
    head_rows: Annotated[
        int, Field(ge=1, description="Rows whose logits exist at a time, at most.")
    ] = HEAD_ROWS
    way: Annotated[
        Way | None,
        Field(
            description="Forked: prompts share the beginnings that they have in common. Stepped: "
            "one after the other, in passes of stepTokens. Whole: one pass a prompt. Native: the "
            "same, by the model's own attention. Cached: in passes of stepTokens, by the model's "
            "own attention and cache."
        ),
    ] = None
    reason: Annotated[str, Field(description="Why beginnings are not shared.")] = ""

    @classmethod
    def here(cls, asked: Execution = AS_SUITS) -> "ExecutionPlan":
        """The plan for this machine, as `asked`; its way and size depend on the model."""
        device = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
        return cls(
            device=device,
            dtype=asked.dtype or ("float32" if device == "cpu" else "bfloat16"),
            threads=max(1, torch.get_num_threads() // asked.sharing),
            shards=asked.shards or 1,
            step_tokens=asked.step_tokens or STEP_TOKENS[device],
        )

    def halved(self, longest: int, may_cut: bool) -> "ExecutionPlan | None":
        """The same with passes of half as many tokens; None if impossible or of no help.

        Prompts of up to `longest` tokens that are read whole are read on from the model's own cache
        if that `may_cut` them.
        """
        way: Way | None = self.way if self.way in CUT else "Cached" if may_cut else None
        tokens = min(longest if way != self.way else self.step_tokens, 2 * self.step_tokens) // 2
        if self.shards > 1 or way is None or tokens < LEAST_STEP_TOKENS:
            return None
        return self.model_copy(update={"step_tokens": tokens, "way": way})

    def too_large(self, longest: int) -> str:
        """What to say where prompts of up to `longest` tokens need more memory than there is."""
        return (
            f"not enough memory for a prompt of {longest:,} tokens, which is read in "
            f"{self.passes}: give shorter lengths, or a device with more memory"
        )

    @property
    def passes(self) -> str:
        """How a prompt is read, for messages."""
        is_cut = self.way in CUT
        return f"passes of {self.step_tokens:,}" if is_cut else f"one pass ({self.reason})"

    @property
    def torch_dtype(self) -> torch.dtype:
        """`dtype`, as torch has it."""
        return torch.float32 if self.dtype == "float32" else torch.bfloat16

    def enter(self) -> None:
        """Set this process up for the plan. Raises InvalidInput if the machine lacks the device."""
        check_device(self.device)
        torch.set_num_threads(self.threads)
        if self.device == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.use_deterministic_algorithms(True, warn_only=True)


def check_device(device: Device | None, sentence: str = NO_DEVICE_OF_THE_FIRST) -> None:
    """Raise InvalidInput, which says `sentence`, if this machine lacks it."""
    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidInput(sentence)


def first_plan(reports: Sequence[EvaluationReport]) -> ExecutionPlan | None:
    """The plan of the first of a run's `reports`, by tokens; None if there is none."""
    for report in reports:
        return ExecutionPlan.parse(report.execution_plan, f"report at {report.tokens} tokens")
    return None
