"""What is observed of a run: of whichever object it is now, and of the store that it names."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from operator_process import installation
from operator_world import START, a_small_run

from lccp.api.conditions import Reason
from lccp.contract.errors import LccpError, StoreRefused, StoreUnavailable
from lccp.store.file import FileStore
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.memory import Memories
from lccp_operator.kubernetes.reconcile.observing import Observing
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observed import Known, Owner, Unknown

KEY = RunKey("default", "tiny")
BODY: Object = {"metadata": {"finalizers": ["example.org/audit"]}}
NOTHING_RUNS = cast(WorkloadReader, SimpleNamespace(read=lambda *_: {}))
NO_CLUSTER = cast(api.Cluster, None)


@pytest.fixture
def observing(tmp_path: Path) -> Observing:
    settings = Installation.parse(installation(tmp_path), "installation")
    ownership = cast(Ownership, SimpleNamespace(owner=Owner("lab/lccp@00000001")))
    stores = {"default": StoreHealth(FileStore(tmp_path), print)}
    late = LateAnswers(NO_CLUSTER)
    return Observing(NO_CLUSTER, NOTHING_RUNS, late, settings, ownership, stores, Memories())


def test_a_run_is_remembered_until_another_object_has_its_name(observing: Observing) -> None:
    first = observing.memory(KEY, a_small_run("run-1"))

    assert observing.memory(KEY, a_small_run("run-1")) is first
    assert observing.memory(KEY, a_small_run("run-2")).uid == "run-2"


def test_workloads_store_and_marks_are_observed(observing: Observing) -> None:
    run = a_small_run()

    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)

    assert observed.workloads == Known({})
    assert isinstance(observed.store, Known)
    assert observed.held_by == ("example.org/audit",)


def test_a_store_that_the_installation_lacks_is_unknown(observing: Observing) -> None:
    run = a_small_run()
    elsewhere = run.spec.checkpoints.model_copy(update={"store_name": "lab"})
    run = run.model_copy(update={"spec": run.spec.model_copy(update={"checkpoints": elsewhere})})

    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)

    assert isinstance(observed.store, Unknown)
    assert observed.store.reason is Reason.UNKNOWN_STORE
    assert "there is no store 'lab'; this installation has default" in observed.store.why


class OneLease(api.Cluster):
    """A cluster with the release's Lease, whose changes a policy may refuse."""

    def __init__(self, refuses: bool) -> None:
        self.guard = lambda: None
        self._refuses = refuses

    def get(self, kind: api.Kind, namespace: str | None, name: str) -> Object:
        return {"metadata": {"name": name}}

    def replace(self, kind: api.Kind, document: Object) -> Object:
        if self._refuses:
            raise api.Refused("leases lccp: a policy forbids it")
        return document


class Changing(FileStore):
    """A store that may no longer take writes."""

    refusal: LccpError | None = None

    def put(self, key: str, data: bytes) -> str:
        self._check()
        return super().put(key, data)

    def put_if_absent(self, key: str, data: bytes) -> str:
        self._check()
        return super().put_if_absent(key, data)

    def _check(self) -> None:
        if self.refusal is not None:
            raise self.refusal


def marking(
    tmp_path: Path, store: FileStore, cluster: api.Cluster
) -> tuple[Observing, StoreHealth]:
    """What observes the first run of a release, and the health of its store, which was checked."""
    lease = {"name": "lccp", "namespace": "lab"}
    settings = Installation.parse(installation(tmp_path) | {"lease": lease}, "installation")
    ownership = cast(Ownership, SimpleNamespace(owner=Owner("lab/lccp@00000001")))
    health, late = StoreHealth(store, print), LateAnswers(cluster)
    health.ask()
    stores = {"default": health}
    made = Observing(cluster, NOTHING_RUNS, late, settings, ownership, stores, Memories())
    return made, health


@pytest.mark.parametrize("refusal", [StoreRefused("AccessDenied"), StoreUnavailable("it is full")])
def test_a_store_that_takes_no_mark_any_more_is_told_and_checked_by_writing(
    tmp_path: Path, refusal: LccpError
) -> None:
    store, run = Changing(tmp_path), a_small_run()
    observing, health = marking(tmp_path, store, OneLease(refuses=False))
    store.refusal = refusal

    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)

    assert isinstance(observed.store, Unknown)
    assert observed.store.reason is Reason.STORE_UNREACHABLE
    assert observed.store.why.startswith(f"{refusal}: nothing is started or judged until it")
    health.ask()
    assert health.outage is not None
    store.refusal = None
    health.ask()
    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)
    assert isinstance(observed.store, Known)


def test_a_lease_that_takes_no_note_is_told(tmp_path: Path) -> None:
    run = a_small_run()
    observing, _ = marking(tmp_path, FileStore(tmp_path), OneLease(refuses=True))

    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)

    assert isinstance(observed.store, Unknown)
    assert observed.store.why.startswith("leases lccp: a policy forbids it: no run begins until")


def test_a_run_that_is_being_deleted_needs_no_mark(tmp_path: Path) -> None:
    store, run = Changing(tmp_path), a_small_run()
    observing, _ = marking(tmp_path, store, OneLease(refuses=False))
    store.refusal = StoreRefused("AccessDenied")
    meta = run.metadata.model_copy(update={"deletion_timestamp": START})
    run = run.model_copy(update={"metadata": meta})

    observed = observing.observed(run, BODY, observing.memory(KEY, run), START)

    assert isinstance(observed.store, Known)
