"""What is observed of a run: of whichever object it is now, and of the store that it names."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from operator_process import installation
from operator_world import START, a_small_run

from lccp.api.conditions import Reason
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
