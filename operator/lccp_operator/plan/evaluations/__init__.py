"""Evaluations: one for every complete checkpoint and suite, oldest first."""

from lccp_operator.plan.evaluations.evaluators import intents, stay_seconds_left
from lccp_operator.plan.evaluations.outcomes import repeated, reports, settled, told_of_lost
from lccp_operator.plan.evaluations.reevaluation import asked_anew, not_to_be_asked
from lccp_operator.plan.evaluations.silence import (
    still_heard,
    told_of_heard,
    unheard,
    unheard_seconds_left,
)
from lccp_operator.plan.evaluations.stages import (
    REPORT_GONE,
    Stage,
    backing_off,
    failed,
    fruitless,
    gone,
    name_of,
    outstanding,
    stage,
    stage_of_checkpoint,
    wanted,
)

__all__ = [
    "REPORT_GONE",
    "Stage",
    "asked_anew",
    "backing_off",
    "failed",
    "fruitless",
    "gone",
    "intents",
    "name_of",
    "not_to_be_asked",
    "outstanding",
    "repeated",
    "reports",
    "settled",
    "stage",
    "stage_of_checkpoint",
    "stay_seconds_left",
    "still_heard",
    "told_of_heard",
    "told_of_lost",
    "unheard",
    "unheard_seconds_left",
    "wanted",
]
