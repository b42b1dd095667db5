"""Reports from a trial of the tiny example, and policies to judge them by."""

import math

import numpy as np
from reports import a_report

from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport

STEP_TOKENS = 4_096
EVERY_STEPS, HORIZON_STEPS, BUDGET_STEPS = 25, 100, 800
DEMO = Policy(
    horizon_tokens=HORIZON_STEPS * STEP_TOKENS,
    min_gain=0.03,
    budget_tokens=BUDGET_STEPS * STEP_TOKENS,
    rounding_tokens=STEP_TOKENS - 1,
)
POLICY = Policy(horizon_tokens=400, min_gain=0.02)
REGULAR = np.arange(100, 1_700, 100)


def demo_reports(
    seed: int, ceiling_step: int = 50, decay_steps: float = 90, steps: int = BUDGET_STEPS
) -> tuple[EvaluationReport, ...]:
    """Reports as the trial of the tiny example gave them: jitter 0.003, PPL from 1.20 to 1.09."""
    rng = np.random.default_rng(seed)
    return tuple(
        a_report(
            tokens=step * STEP_TOKENS,
            nll=0.085 + 0.13 * math.exp(-step / decay_steps) + rng.normal(0, 0.003),
            score=min(1.0, 0.98 - 0.5 * math.exp(-step / ceiling_step) + step / 2e3),
            guard_nll=0.03 + 0.05 * math.exp(-step / 60) + rng.normal(0, 0.002),
            spread=0.003,
            seed=seed,
        )
        for step in range(0, steps + 1, EVERY_STEPS)
    )
