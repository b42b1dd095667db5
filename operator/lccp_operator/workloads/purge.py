"""The deletion of everything that the store holds of a run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lccp.api import labels
from lccp.api.causes import Cause
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.api.spec.workload import WorkloadSpec
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending, failure
from lccp_operator.workloads.kind import PodSet, Workload
from lccp_operator.workloads.state import Phase, WorkloadState


@dataclass(frozen=True)
class Purge(Workload):
    """Deletes everything that the store holds of the run."""

    COMPONENT: ClassVar[str] = labels.PURGER

    @property
    def suffix(self) -> str:
        return "purge"

    def labels(self) -> Mapping[str, str]:
        return {}

    @classmethod
    def of_labels(cls, own: Mapping[str, str]) -> "Purge":
        return cls()

    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        owner = run.status.installation if run.status else None
        return PodSet(
            container="purger",
            command=("python3", "-m", "lccp_operator.purge", *filter(None, [owner])),
            image=pinned.purger_image,
            spec=WorkloadSpec(resources=pinned.purger_resources),
            retries=3,
            as_trainers=True,
        )

    def done(self, facts: Facts) -> bool:
        return facts.identity is None and not facts.holds_a_run

    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        if state is None:
            return Ending.of(Cause.LOST, None)
        if state.phase is Phase.SUCCEEDED:
            return Ending(Cause.COMPLETED, "the run's objects are deleted")
        return Ending.of(failure(state), state)
