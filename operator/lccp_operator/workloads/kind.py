"""The one shape of every kind of workload."""

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Self

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Pinned
from lccp.api.run import LCCPRun
from lccp.api.spec.evaluation import ExternalSuite
from lccp.api.spec.workload import WorkloadSpec
from lccp_operator.facts import Facts
from lccp_operator.workloads.endings import Ending
from lccp_operator.workloads.state import WorkloadState

NAME_LENGTH_MAX = 63
"""Of a label that names a Job."""
HASH_LENGTH = 8


@dataclass(frozen=True)
class PodSet:
    """The pods of a workload, which are alike, whatever runs them."""

    container: str
    command: tuple[str, ...]
    image: str
    spec: WorkloadSpec = field(default_factory=WorkloadSpec)
    is_gang: bool = False
    """The pods work together, each knows its index, and they find each other."""
    count: int = 1
    processes: int = 1
    """Of each pod; each takes one accelerator, if `spec` names one."""
    attempt: int = 1
    """What the processes are told: attempt of the gang, or try."""
    branch: int | None = None
    """What the processes are told: tokens that the branch which they train begins with."""
    tokens: int | None = None
    """What the processes are told: checkpoint to work on."""
    suite: str | None = None
    """What the processes are told: suite to evaluate it by."""
    external: ExternalSuite | None = None
    """That suite, if it is a program of its own, with the image that runs it: between fetching the
    checkpoint and reporting."""
    grace_seconds: int = 30
    """From SIGTERM to SIGKILL."""
    deadline_seconds: int | None = None
    retries: int = 0
    """Times that a failed pod is replaced; without any, the first failure ends the workload."""
    priority_class_name: str | None = None
    """Instead of none in `spec`."""

    @property
    def digest(self) -> str:
        """Of what the run's spec says of them: under another one they would be other pods."""
        settings: list[object] = [self.spec.document(), self.deadline_seconds]
        settings += [self.external.document()] if self.external is not None else []
        settings += [self.processes] if self.processes > 1 else []
        canonical = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_LENGTH]

    def invocation(self, run: LCCPRun, store: StoreConfig) -> Invocation:
        """What the processes are told; a gang's number of them stands in the run's topology."""
        return Invocation(
            namespace=run.metadata.namespace,
            name=run.metadata.name,
            store=store,
            attempt=self.attempt,
            tokens=self.tokens,
            branch=self.branch,
            suite=self.suite or INTRINSIC,
            external=self.external,
            processes=1 if self.is_gang else self.processes,
        )


@dataclass(frozen=True)
class Workload(ABC):
    """One workload of a run: a value made of facts alone, so that the same never exists twice."""

    COMPONENT: ClassVar[str]
    """Value of the label that tells the kind."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """Its name below the run's."""

    @property
    def pods_field(self) -> str:
        """Part of the spec that says what its pods are like, for messages."""
        return ""

    @property
    def image_field(self) -> str:
        """Field of the spec that names its image, for messages."""
        return ""

    @abstractmethod
    def labels(self) -> Mapping[str, str]:
        """What tells it from others of its kind: names of labels without their prefix."""

    @classmethod
    @abstractmethod
    def of_labels(cls, own: Mapping[str, str]) -> Self:
        """The workload of these labels, names without their prefix."""

    @abstractmethod
    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        """Its pods, from the spec and from what was pinned at the run's start."""

    @abstractmethod
    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        """How it ended, given that it has, or is gone (`None`)."""

    @abstractmethod
    def done(self, facts: Facts) -> bool:
        """What it was to leave in the store is there."""

    def name(self, run: str) -> str:
        """Name of the object that runs it; a hash stands for the middle of one that is too long."""
        name = f"{run}-{self.suffix}"
        if len(name) <= NAME_LENGTH_MAX:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
        last = name.rpartition("-")[2]
        head = name[: NAME_LENGTH_MAX - len(last) - HASH_LENGTH - 2].rstrip("-")
        return f"{head}-{digest}-{last}"
