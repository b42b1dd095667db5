"""The policy that a run was judged by, as far as its stored facts tell, and a verdict by it."""

from dataclasses import replace

from lccp.analysis.policy import Policy
from lccp.analysis.verdict import judge
from lccp.api.objects.verdict import Verdict
from lccp.api.spec.training import ScheduleSpec
from lccp.report.load import RunData

WITHIN = "No length lies beyond the source context, so there is no extension to judge."
LONGER = "Measure lengths beyond the source context to have a verdict."


def policy_of(data: RunData) -> Policy:
    """From the verdict, the identity and the heartbeat where they are known; defaults elsewhere."""
    policy = Policy.of_reports(data.reports)
    if data.heartbeat is not None:
        policy = replace(policy, budget_tokens=data.heartbeat.tokens_total)
    if data.identity is not None:
        training = data.identity.immutable["training"]
        schedule = ScheduleSpec.parse(training["schedule"], "run.json")
        policy = replace(
            policy,
            warmup_tokens=schedule.warmup_tokens or 0,
            constant_schedule=schedule.type == "Constant",
            rounding_tokens=int(training["globalBatchTokens"]) - 1,
        )
    if data.verdict is None:
        return policy
    return replace(
        policy,
        horizon_tokens=data.verdict.horizon_tokens,
        min_gain=data.verdict.min_gain,
        confidence=data.verdict.confidence,
        patience=data.verdict.patience,
        min_tokens=data.verdict.min_tokens,
    )


def verdict_of(data: RunData) -> Verdict:
    """The stored verdict; where there is none, what the reports say.

    Reports of lengths within the source context alone can be shown, but not judged.
    """
    if data.verdict is not None:
        return data.verdict
    if any("extension" in report.probes.niah.bands for report in data.reports):
        return judge(data.reports, policy_of(data))
    verdict = judge((), policy_of(data))
    if not data.reports:
        return verdict
    return verdict.model_copy(update={"evidence": (WITHIN,), "advice": LONGER})
