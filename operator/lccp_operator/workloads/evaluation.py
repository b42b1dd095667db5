"""One try of the evaluation of one checkpoint by one suite."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lccp.api import labels
from lccp.api.causes import Cause
from lccp.api.objects.journal import Pinned, PodDefaults
from lccp.api.run import LCCPRun
from lccp.facts.facts import EvaluationKey
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending, failure
from lccp_operator.workloads.kind import PodSet, Workload
from lccp_operator.workloads.state import Phase, WorkloadState

GRACE_SECONDS = 5
"""It has nothing to save."""


@dataclass(frozen=True)
class Evaluation(Workload):
    """One try of the evaluation of the checkpoint at `tokens` by a suite."""

    tokens: int
    suite: str = labels.INTRINSIC
    number: int = 1
    COMPONENT: ClassVar[str] = labels.EVALUATOR

    @property
    def suffix(self) -> str:
        return f"eval-{self.suite}-{labels.tokens_key(self.tokens)}"

    @property
    def key(self) -> EvaluationKey:
        return self.tokens, self.suite

    @property
    def pods_field(self) -> str:
        return f"{self._field}.workload"

    @property
    def image_field(self) -> str:
        return f"{self._field}.image"

    @property
    def _field(self) -> str:
        own = self.suite in (labels.INTRINSIC, labels.ANNEAL)
        return "evaluation" if own else "evaluation.suites[]"

    def labels(self) -> Mapping[str, str]:
        tokens = labels.tokens_key(self.tokens)
        return {"tokens": tokens, "suite": self.suite, "try": str(self.number)}

    @classmethod
    def of_labels(cls, own: Mapping[str, str]) -> "Evaluation":
        return cls(int(own["tokens"]), own["suite"], int(own["try"]))

    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        evaluation, defaults = run.spec.evaluation, pinned.templates or PodDefaults()
        suite = evaluation.suite(self.suite)
        if suite is not None:
            image = suite.image or pinned.evaluator_image
            suite = suite.model_copy(update={"image": image})
        return PodSet(
            container="evaluator",
            command=("lccp-evaluate",),
            image=pinned.evaluator_image,
            spec=(suite or evaluation).workload,
            processes=1 if suite else evaluation.processes,
            attempt=self.number,
            tokens=self.tokens,
            suite=self.suite,
            external=suite,
            grace_seconds=GRACE_SECONDS,
            deadline_seconds=(suite and suite.deadline_seconds) or evaluation.deadline_seconds,
            priority_class_name=defaults.evaluator_priority_class,
        )

    def done(self, facts: Facts) -> bool:
        """There is a report of exactly this checkpoint."""
        checkpoint, report = facts.evaluated(self.key), facts.reports.get(self.key)
        if checkpoint is None or report is None:
            return False
        return report.checkpoint_digest == checkpoint.digest

    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        """How it ended without a report."""
        if state is None:
            return Ending.of(Cause.LOST, None)
        if state.phase is Phase.SUCCEEDED:
            return Ending(Cause.INTERNAL, "ended with exit code 0, but without report.json")
        left = facts.failures.get(self.key)
        codes = {pod.exit_code for pod in state.pods}
        message = left.message if left is not None and left.exit_code in codes else ""
        return Ending.of(failure(state), state, message)
