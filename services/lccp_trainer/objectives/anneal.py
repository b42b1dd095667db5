"""A branch expressed as a run, for the trainer's loop."""

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.training import ScheduleSpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.schedule import learning_rate

FIELD = "checkpoints.anneal"


def branch_run(run: LCCPRunSpec, tokens: int) -> LCCPRunSpec:
    """The spec of a run that resumes from the state of `tokens` with a decaying learning rate.

    Its one checkpoint comes at its end. Raises InvalidInput if `run` requests no such branch, or
    its learning rate is 0 there.
    """
    anneal = run.checkpoints.anneal
    if anneal is None or tokens not in run.branch_points:
        points = ", ".join(map(str, run.branch_points)) or "none"
        raise InvalidInput(
            f"environment: LCCP_BRANCH: {FIELD} requests no branch from the state of {tokens} "
            f"tokens: the requested branches begin at {points}"
        )
    rate = learning_rate(run.trained, tokens)
    if rate <= 0:
        raise InvalidInput(
            f"{FIELD}.atTokens: the learning rate is 0 at {tokens} tokens, so nothing is left "
            "to decay: choose an earlier point"
        )
    schedule = ScheduleSpec.model_construct(
        type="WSD", decay_tokens=anneal.tokens, final_fraction=anneal.final_fraction
    )
    training = {"tokens": tokens + anneal.tokens, "learning_rate": rate, "schedule": schedule}
    checkpoints = {"every_tokens": None, "at_tokens": (tokens + anneal.tokens,), "anneal": None}
    changes = {
        "training": run.trained.model_copy(update=training),
        "checkpoints": run.checkpoints.model_copy(update=checkpoints),
        "evaluation": run.evaluation.model_copy(update={"baseline": False}),
    }
    return run.model_copy(update=changes)
