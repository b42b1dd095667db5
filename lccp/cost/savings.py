"""What a stop before the budget's end saves."""

from dataclasses import dataclass
from typing import Self

from lccp.api.objects.training import Heartbeat
from lccp.cost.flops import FLOPS_PER_PARAMETER_AND_TOKEN


@dataclass(frozen=True)
class Throughput:
    """How fast the run trains, and on how many accelerators."""

    tokens_per_second: float
    accelerators: int

    @classmethod
    def told_by(cls, beat: Heartbeat) -> Self | None:
        """As a trainer reported; None while one of the two is missing, or on CPUs."""
        if not beat.tokens_per_second or not beat.accelerators:
            return None
        return cls(beat.tokens_per_second, beat.accelerators)


@dataclass(frozen=True)
class Savings:
    """Training that a stop made unnecessary."""

    tokens: int
    share: float
    """Of the budget, 0 to 1."""
    flops: float
    """6 x active parameters x tokens; attention's own part is left out."""
    accelerator_hours: float | None
    """None if the throughput is unknown."""

    @classmethod
    def of(
        cls,
        budget_tokens: int,
        stop_tokens: int,
        active_parameters: int,
        throughput: Throughput | None = None,
    ) -> Self:
        """What a stop at `stop_tokens` saves of `budget_tokens`; nothing if it came no earlier."""
        tokens = max(0, budget_tokens - stop_tokens)
        hours = None
        if throughput is not None and throughput.tokens_per_second > 0:
            hours = throughput.accelerators * tokens / throughput.tokens_per_second / 3_600
        return cls(
            tokens=tokens,
            share=tokens / budget_tokens,
            flops=float(FLOPS_PER_PARAMETER_AND_TOKEN * active_parameters * tokens),
            accelerator_hours=hours,
        )
