"""Every kind of workload has the same form; another kind takes one module and one line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

import pytest
from operator_world import a_small_run

from lccp.api.causes import Cause
from lccp.api.invocation import StoreConfig
from lccp.api.labels import RUN_NAME_LENGTH_MAX, SETTINGS, of_workload
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp_operator.facts import Facts
from lccp_operator.kubernetes.workloads.jobs import job
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import PodSet, Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.registry import KINDS, workload_of
from lccp_operator.workloads.state import WorkloadState
from lccp_operator.workloads.training import Training

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
LABEL_LENGTH_MAX = 63


@dataclass(frozen=True)
class Conversion(Workload):
    """A further kind, which nothing but this module knows."""

    tokens: int
    COMPONENT: ClassVar[str] = "converter"

    @property
    def suffix(self) -> str:
        return f"convert-{self.tokens}"

    def labels(self) -> Mapping[str, str]:
        return {"tokens": str(self.tokens)}

    @classmethod
    def of_labels(cls, own: Mapping[str, str]) -> "Conversion":
        return cls(int(own["tokens"]))

    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        return PodSet("converter", ("convert",), "image:1", tokens=self.tokens)

    def done(self, facts: Facts) -> bool:
        return self.tokens in facts.checkpoints

    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        return Ending.of(Cause.LOST, state)


WORKLOADS = (Training(3), Evaluation(8_192, "a-suite-of-a-long-name", 2), Purge(), Conversion(5))


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: type(workload).__name__)
def test_a_job_of_every_kind_is_known_by_its_labels(workload: Workload) -> None:
    run, store = a_small_run(), StoreConfig(url="s3://bucket")

    pods = workload.pods(run, Pinned())

    built = job(run, workload, pods, store, Pinned())

    labels = built["metadata"]["labels"]
    assert labels.pop(SETTINGS) == pods.digest
    assert workload_of(labels, (*KINDS, Conversion)) == workload
    assert labels.items() <= built["spec"]["template"]["metadata"]["labels"].items()
    assert built["metadata"]["name"] == f"tiny-{workload.suffix}"


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda workload: type(workload).__name__)
def test_names_of_the_longest_run_fit_into_a_host_name(workload: Workload) -> None:
    longest = workload.name("r" * RUN_NAME_LENGTH_MAX)
    index = "-4095" if workload.pods(a_small_run(), Pinned()).is_gang else ""

    assert len(f"{longest}{index}") <= LABEL_LENGTH_MAX


def test_what_another_made_is_no_workload() -> None:
    assert workload_of({}) is None
    assert workload_of(of_workload("tiny", "another")) is None
