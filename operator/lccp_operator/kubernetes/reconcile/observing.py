"""What a reconcile observes of a run: its workloads, its part of the store, its object's marks."""

from collections.abc import Mapping
from datetime import datetime

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput, StoreUnavailable
from lccp.store.keys import RunKeys
from lccp_operator.facts import Facts
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesWorkloads
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.ownership import Ownership, StoreMarks
from lccp_operator.kubernetes.reconcile.bodies import asked_anew, held_by, purges
from lccp_operator.kubernetes.reconcile.memory import Memories, RunMemory, without_gang
from lccp_operator.kubernetes.reconcile.refusals import doubted
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import StoreObserver, unreachable
from lccp_operator.observed import Known, Observed, Unknown

NO_NOTE_THEN = "no run begins until the operator may note in its Lease where its stores are"


class Observing:
    """Observes runs of one cluster, and remembers them in `memories`; `stores` are by name."""

    def __init__(
        self,
        cluster: api.Cluster,
        reader: WorkloadReader,
        late: LateAnswers,
        installation: Installation,
        ownership: Ownership,
        stores: Mapping[str, StoreHealth],
        memories: Memories,
    ) -> None:
        self._cluster = cluster
        self._reader = reader
        self._late = late
        self._installation = installation
        self._ownership = ownership
        self._marks = StoreMarks(cluster, ownership, installation.lease)
        self._stores = stores
        self._memories = memories

    def observed(self, run: LCCPRun, body: Object, memory: RunMemory, now: datetime) -> Observed:
        """The run, whose object is `body`, at `now`, which is UTC."""
        workloads = memory.read_workloads(self._reader, run, now)
        leaves = without_gang(run, workloads)
        store, unmarked = self._marked(run, self._facts(run, memory, now), now)
        return Observed(
            workloads=workloads,
            store=store,
            unmarked=unmarked,
            rejected=dict(memory.workloads.rejected),
            offered=self._installation.offered(run),
            finalizer=purges(body),
            held_by=held_by(body),
            reevaluate=asked_anew(body),
            state_boost=self._installation.state_boost,
            namespace_terminating=leaves and self._cluster.is_terminating(run.metadata.namespace),
            events_posted=memory.events_posted,
            status_is_own=memory.status_is_own,
            heard=memory.heard,
            begun=memory.begun,
        )

    def memory(self, key: RunKey, run: LCCPRun) -> RunMemory:
        """What is remembered of this run object: nothing yet of a new one."""
        known = self._memories.get(key)
        if known is None or known.uid != run.metadata.uid:
            name = run.spec.checkpoints.store_name
            config, owner = self._installation.store(name), self._ownership.owner.id
            known = self._memories[key] = RunMemory(
                run.metadata.uid,
                name,
                KubernetesWorkloads(self._cluster, self._reader, self._late, config, owner),
                StoreObserver(self.health(name).store, RunKeys(*key)),
            )
        return known

    def health(self, name: str) -> StoreHealth:
        """The store's health; any store's for an unknown name, which is then not used."""
        return self._stores.get(name) or next(iter(self._stores.values()))

    def _facts(self, run: LCCPRun, memory: RunMemory, now: datetime) -> Known[Facts] | Unknown:
        name = run.spec.checkpoints.store_name
        if name in self._stores:
            return self._stores[name].outage or memory.observer.part(now)
        known = ", ".join(self._stores)
        why = f"checkpoints.storeName: there is no store {name!r}; this installation has {known}"
        return Unknown(now, why, Reason.UNKNOWN_STORE)

    def _marked(
        self, run: LCCPRun, facts: Known[Facts] | Unknown, now: datetime
    ) -> tuple[Known[Facts] | Unknown, str | None]:
        """The facts, and why the run may not begin in its store.

        Where the mark, the first object in a store, can't be written, the facts are unknown.
        """
        try:
            with doubted(self.health(run.spec.checkpoints.store_name)):
                return facts, self._marks.missing(run, facts, self._stores)
        except api.Refused as error:
            return Unknown(now, f"{error}: {NO_NOTE_THEN}"), None
        except (InvalidInput, StoreUnavailable) as error:
            return Unknown(now, unreachable(error), Reason.STORE_UNREACHABLE), None
