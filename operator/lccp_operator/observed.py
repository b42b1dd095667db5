"""The observations of one reconcile of a run: its workloads, and what its store holds.

A part that could not be read is `Unknown`, which is never taken as empty. Both backends fill these
types. They observe the workloads before the store, so that the objects of an ended workload are
seen with its end.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, TypeVar

from lccp.api.conditions import Reason
from lccp.api.objects.journal import Pinned
from lccp_operator.facts import Facts
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Trouble, WorkloadState

T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True)
class Known(Generic[T_co]):
    """A part that was read."""

    value: T_co


@dataclass(frozen=True)
class Unknown:
    """A part that could not be read: since when, why (one sentence), and the reason's name."""

    since: datetime
    why: str
    reason: Reason = Reason.OBSERVATION_INCOMPLETE
    watched: bool = False
    """A change will be announced: there is no need to poll for it."""


@dataclass(frozen=True)
class Owner:
    """The reconciling installation, and those that are gone and whose runs it takes over."""

    id: str = ""
    """Empty: no installation, as on a laptop."""
    adopts: frozenset[str] = frozenset()
    lives: str | None = None
    """Of these, one that took the run back, so that it is not gone."""

    @property
    def name(self) -> str:
        """What messages call it."""
        return f"installation {self.id}" if self.id else "another operator, without an installation"

    def may_have(self, owner: str | None) -> bool:
        """Whether a run of the installation `owner` is its own, or may become so."""
        return not owner or owner == self.id or (owner in self.adopts and owner != self.lives)


@dataclass(frozen=True)
class HeardBeat:
    """A heartbeat that was read: who wrote it, and when by the clock of the writer's node, UTC."""

    writer: str
    at: datetime
    back: datetime | None = None
    """The time of an older one that was found in its place since, and that did not change yet."""


@dataclass(frozen=True)
class Observed:
    """The input of `plan` besides the run object.

    `workloads` are Known only if they were read after this process's last write to them.
    """

    workloads: Known[Mapping[Workload, WorkloadState]] | Unknown
    store: Known[Facts] | Unknown
    rejected: Mapping[Workload, Trouble] = field(default_factory=dict)
    """Workloads that could not be created at the last try, and why."""
    unmarked: str | None = None
    """Why the store is not the one in which the installation begins its runs; it is looked up only
    for a run that has nothing in the store, and has not begun according to its status."""
    offered: Pinned = field(default_factory=Pinned)
    """Images and templates that the installation would give a new run."""
    owner: Owner = field(default_factory=Owner)
    made_by: str | None = None
    """Installation that made the newest of the workloads; None: no workload names one.

    It matters for a run whose status was emptied."""
    status_is_own: bool = True
    """No other process, such as another installation's, has changed it while this one looked."""
    heard: HeardBeat | None = None
    """The newest attempt's heartbeat at the last reconcile that followed the store."""
    begun: bool = False
    """An earlier status told that the run has begun; somebody may have emptied it since."""
    left_to: str | None = None
    """Installation to which the run is left, according to an earlier event."""
    finalizer: bool = False
    """The run object carries LCCP's finalizer."""
    held_by: tuple[str, ...] = ()
    """Finalizers of other programs on the run object; not those of the garbage collector."""
    reevaluate: str | None = None
    """Value of the run object's annotation `lccp.io/reevaluate`."""
    model_config: Mapping[str, Any] | None = None
    """The source model's config.json, parsed; None where it can't be read."""
    by_command: bool = False
    """The run is carried out by a command on one machine, which applies it anew each time."""
    state_boost: int | None = None
    """Points of priority for a gang whose newest state is old; None: states are not recorded."""
    namespace_terminating: bool = False
    """The run's namespace is being deleted; looked up only for a run without a gang."""
    events_posted: bool = True
    """The journal's events are posted; else its writer may have died before posting them."""
