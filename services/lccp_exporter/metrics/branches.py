"""Metrics of anneal branches."""

from lccp.api.causes import Cause
from lccp_exporter.facts import RunFacts
from lccp_exporter.metrics.metric import RunMetric, Samples, by_tokens, one

BRANCH_SIGNALS_MAX = 28
"""Maximum series of one run: the newest branches, all watched signals."""


def _signals(facts: RunFacts) -> Samples:
    count = BRANCH_SIGNALS_MAX // max(1, len(facts.watched))
    return by_tokens(facts.values_of_branches(facts.watched), count)


def _trained(facts: RunFacts) -> float:
    attempts = facts.journal.attempts if facts.journal else ()
    ended = (one.branch for one in attempts if one.cause is Cause.COMPLETED)
    return float(len({branch for branch in ended if branch is not None}))


BRANCHES = (
    RunMetric(
        "lccp_branches_trained",
        "Anneal branches that have been trained to their end.",
        one(_trained),
    ),
    RunMetric(
        "lccp_branch_trained_tokens",
        "Tokens of the branch in training, including those of the run at which it began; absent "
        "while none is in training.",
        one(lambda facts: facts.branching.tokens if facts.branching else None),
    ),
    RunMetric(
        "lccp_branch_signal",
        "Value of a watched signal at the end of an anneal branch, by the tokens of the run at "
        f"which the branch began (15 digits): {BRANCH_SIGNALS_MAX} series of the newest branches.",
        _signals,
        ("signal", "band", "branch_tokens"),
        most=BRANCH_SIGNALS_MAX,
    ),
)
