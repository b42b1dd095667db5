"""How a run's checkpoints are computed: fixed at the first one, recorded, used for all others."""

import os
from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field

from lccp.api.objects.report import EvaluationReport
from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.attention import BLOCK_ROWS

STEP_TOKENS = {"cpu": 1_024, "cuda": 8_192}
HEAD_ROWS = 1_024
ATTENTION = f"fused kernels joined by log-sums; blocks of {BLOCK_ROWS} rows if windowed or capped"

Way = Literal["Forked", "Whole", "Native"]


class ExecutionPlan(Contract):
    """Everything that may change the last digits of a measurement, but for library versions."""

    device: Annotated[Literal["cpu", "cuda"], Field(description="Device type.")]
    dtype: Annotated[Literal["float32", "bfloat16"], Field(description="Of weights and values.")]
    attention: Annotated[str, Field(description="Attention path.")] = ATTENTION
    threads: Annotated[int, Field(ge=1, description="Threads of the CPU.")]
    step_tokens: Annotated[int, Field(ge=1, description="Tokens of one forward pass, at most.")]
    head_rows: Annotated[
        int, Field(ge=1, description="Rows whose logits exist at a time, at most.")
    ] = HEAD_ROWS
    way: Annotated[
        Way | None,
        Field(
            description="Forked: prompts share the beginnings that they have in common. Whole: one "
            "pass a prompt. Native: the same, by the model's own attention."
        ),
    ] = None
    reason: Annotated[str, Field(description="Why beginnings are not shared.")] = ""

    @classmethod
    def here(cls) -> "ExecutionPlan":
        """The plan for this machine; its way is the model's to say."""
        device: Literal["cpu", "cuda"] = "cuda" if torch.cuda.is_available() else "cpu"
        return cls(
            device=device,
            dtype="float32" if device == "cpu" else "bfloat16",
            threads=torch.get_num_threads(),
            step_tokens=STEP_TOKENS[device],
        )

    @property
    def torch_dtype(self) -> torch.dtype:
        """`dtype`, as torch has it."""
        return torch.float32 if self.dtype == "float32" else torch.bfloat16

    def enter(self) -> None:
        """Set this process up for the plan. Raises InvalidInput if the machine lacks the device."""
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InvalidInput(
                "this machine has no CUDA device, but the run's first checkpoint was evaluated on "
                "one: give evaluators the same accelerator "
                "(evaluation.workload.acceleratorResourceName)"
            )
        torch.set_num_threads(self.threads)
        if self.device == "cuda":
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
            torch.backends.cuda.matmul.allow_tf32 = False
            torch.use_deterministic_algorithms(True, warn_only=True)


def first_plan(reports: Sequence[EvaluationReport]) -> ExecutionPlan | None:
    """The plan of the first of a run's `reports`, by tokens; None if there is none."""
    for report in reports:
        return ExecutionPlan.parse(report.execution_plan, f"report at {report.tokens} tokens")
    return None
