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
    """The pods of a workload, all alike, whatever runs them."""

    container: str
    command: tuple[str, ...]
    image: str
    spec: WorkloadSpec = field(default_factory=WorkloadSpec)
    is_gang: bool = False
    """The pods work together: each knows its index, and they find each other."""
    count: int = 1
    processes: int = 1
    """Processes of each pod; each takes one accelerator, if `spec` names one."""
    attempt: int = 1
    """Passed to the processes: attempt of the gang, or try."""
    branch: int | None = None
    """Passed to the processes: tokens at which the branch that they train begins."""
    tokens: int | None = None
    """Passed to the processes: checkpoint to work on."""
    suite: str | None = None
    """Passed to the processes: suite to evaluate it by."""
    external: ExternalSuite | None = None
    """That suite, if it is an external program, with the image that runs it: between fetching the
    checkpoint and reporting."""
    grace_seconds: int = 30
    """From SIGTERM to SIGKILL."""
    deadline_seconds: int | None = None
    retries: int = 0
    """How often a failed pod is replaced; with 0, the first failure ends the workload."""
    priority_class_name: str | None = None
    """Used where `spec` has none."""
    as_trainers: bool = False
    """They reach the store as the trainers' template does: by its mounts and variables for that."""

    @property
    def digest(self) -> str:
        """Digest of their part of the run's spec: with another digest they would be other pods."""
        settings: list[object] = [self.spec.document(), self.deadline_seconds]
        settings += [self.external.document()] if self.external is not None else []
        settings += [self.processes] if self.processes > 1 else []
        canonical = json.dumps(settings, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:HASH_LENGTH]

    def invocation(self, run: LCCPRun, store: StoreConfig) -> Invocation:
        """What the processes are given; a gang's number of them is in the run's topology."""
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
    """One workload of a run: a value made only of facts, so that the same never exists twice."""

    COMPONENT: ClassVar[str]
    """Value of the label for the kind."""

    @property
    @abstractmethod
    def suffix(self) -> str:
        """Its name below the run's."""

    @property
    def pods_field(self) -> str:
        """Part of the spec that describes its pods, for messages."""
        return ""

    @property
    def image_field(self) -> str:
        """Field of the spec that names its image, for messages."""
        return ""

    @abstractmethod
    def labels(self) -> Mapping[str, str]:
        """Labels that distinguish it from others of its kind, named without their prefix."""

    @classmethod
    @abstractmethod
    def of_labels(cls, own: Mapping[str, str]) -> Self:
        """The workload with these labels, named without their prefix."""

    @abstractmethod
    def pods(self, run: LCCPRun, pinned: Pinned) -> PodSet:
        """Its pods, from the spec and the settings pinned at the run's start."""

    @abstractmethod
    def ending(self, state: WorkloadState | None, facts: Facts) -> Ending:
        """How it ended, given that it has ended, or is gone (`None`)."""

    @abstractmethod
    def done(self, facts: Facts) -> bool:
        """Its result is in the store."""

    def name(self, run: str) -> str:
        """Name of the object that runs it; a hash replaces the middle of one that is too long."""
        name = f"{run}-{self.suffix}"
        if len(name) <= NAME_LENGTH_MAX:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:HASH_LENGTH]
        last = name.rpartition("-")[2]
        head = name[: NAME_LENGTH_MAX - len(last) - HASH_LENGTH - 2].rstrip("-")
        return f"{head}-{digest}-{last}"
