"""One attempt of the training gang."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lccp.api import labels
from lccp.api.causes import Cause
from lccp.api.objects.journal import AttemptRecord, Pinned, PodDefaults
from lccp.api.run import LCCPRun
from lccp.api.spec.topology import TopologySpec
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending, failure
from lccp_operator.workloads.kind import PodSet, Workload
from lccp_operator.workloads.state import Phase, WorkloadState

YIELDING = {"priority_class_name": None, "queue_priority_class_name": None}
"""Settings of a branch's pods: they yield to those of runs, as evaluators do."""


@dataclass(frozen=True)
class Training(Workload):
    """One attempt of the training gang."""

    attempt: int
    branch: int | None = None
    """Tokens of the run's state from which it begins; None: it trains the run itself."""
    COMPONENT: ClassVar[str] = labels.TRAINER

    @property
    def suffix(self) -> str:
        return f"train-a{self.attempt}"

    @property
    def pods_field(self) -> str:
        return "topology"

    @property
    def image_field(self) -> str:
        return "topology.image"

    def labels(self) -> Mapping[str, str]:
        own = {"attempt": str(self.attempt)}
        return own if self.branch is None else own | {"branch": labels.tokens_key(self.branch)}

    @classmethod
    def of_labels(cls, own: Mapping[str, str]) -> "Training":
        return cls(int(own["attempt"]), int(own["branch"]) if "branch" in own else None)

    @classmethod
    def of(cls, attempt: AttemptRecord) -> "Training":
        """The workload of the attempt."""
        return cls(attempt.number, attempt.branch)

    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        topology = run.spec.topology
        if run.spec.source is not None:
            return self._importer(topology, pinned)
        defaults = pinned.templates or PodDefaults()
        is_branch = self.branch is not None
        return PodSet(
            container="trainer",
            command=("lccp-train",),
            image=pinned.trainer_image,
            spec=topology.model_copy(update=YIELDING) if is_branch else topology,
            branch=self.branch,
            priority_class_name=defaults.evaluator_priority_class if is_branch else None,
            is_gang=True,
            count=topology.nodes,
            processes=topology.processes_per_node,
            attempt=self.attempt,
            grace_seconds=topology.termination_grace_period_seconds,
        )

    def _importer(self, topology: TopologySpec, pinned: Pinned) -> PodSet:
        """The importer, which replaces the trainer of an attached run: it copies checkpoints."""
        return PodSet(
            container=labels.IMPORTER,
            command=("lccp-import",),
            image=pinned.evaluator_image,
            spec=topology,
            attempt=self.attempt,
        )

    def done(self, facts: Facts) -> bool:
        return self.attempt in facts.ends

    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        """An exit code of 0 counts only with an `end.json` that matches the requests."""
        end = facts.ends.get(self.attempt)
        if state is not None and state.phase is not Phase.SUCCEEDED:
            cause = failure(state)
            if end is not None and (end.result, cause) == (Cause.OUT_OF_MEMORY, Cause.INTERNAL):
                cause = end.result
            message = end.message if end is not None and end.result is cause else ""
            return Ending.of(cause, state, message)
        if end is None:
            missing = Ending(Cause.INTERNAL, "ended with exit code 0, but without end.json")
            return missing if state is not None else Ending.of(Cause.LOST, None)
        if end.result is Cause.DRAINED and self.attempt not in facts.drains:
            return Ending(Cause.INTERNAL, "ended as drained, but without a request")
        if end.result is Cause.COMPLETED and self._newest(facts) < end.tokens:
            return Ending(Cause.INTERNAL, "ended as completed, but without its last checkpoint")
        return Ending.of(end.result, state, end.message)

    def _newest(self, facts: Facts) -> int:
        """Tokens of its newest checkpoint; -1: there is none."""
        if self.branch is None:
            return max(facts.checkpoints, default=-1)
        made = facts.branches.get(self.branch)
        return made.tokens if made is not None else -1
