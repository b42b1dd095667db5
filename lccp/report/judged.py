"""The policy that a run was judged by, as far as its stored facts show, and a verdict by it."""

from lccp.analysis.policy import policy_of_reports
from lccp.analysis.verdict import judge
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict
from lccp.report.load import RunData


def policy_of(data: RunData) -> Policy:
    """The stored verdict's; where there is none, a guess, with the budget if that is known."""
    if data.verdict is not None:
        return data.verdict.policy
    policy = policy_of_reports(data.reports)
    if data.heartbeat is None:
        return policy
    return policy.model_copy(update={"budget_tokens": data.heartbeat.tokens_total})


def verdict_of(data: RunData) -> Verdict:
    """The stored verdict; where there is none, one from the reports."""
    return data.verdict or judge(data.all_reports, policy_of(data))
