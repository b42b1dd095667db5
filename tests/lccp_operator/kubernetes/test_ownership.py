"""The identity of an installation: its release and namespace; and its mark in its stores."""

from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from a_workload import INSTALLATION
from operator_world import NEVER, MemoryStore, World, a_small_run

from lccp.contract.errors import Conflict, NotFound
from lccp_operator.facts import Facts
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.installation import Installation, LeaseSettings, ReleaseSettings
from lccp_operator.kubernetes.ownership import Ownership, StoreMarks
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.observed import Known, Owner, Unknown

MARK = ".installation-lccp-system.lccp@01234567.json"
NOTED = "store.lccp.io/default"
NOTHING = Known(Facts())


class Namespaces(api.Cluster):
    """A cluster that is asked for a namespace alone, and counts how often."""

    def __init__(self) -> None:
        self.asked = 0

    def get(self, kind: api.Kind, namespace: str | None, name: str) -> Object:
        assert (kind, namespace, name) == (api.NAMESPACES, None, "lccp-system")
        self.asked += 1
        return {"metadata": {"uid": "0123456789abcdef"}}


def an_installation(**given: Any) -> Installation:
    return INSTALLATION.model_copy(update=given)


def test_a_release_is_known_by_its_name_and_the_uid_of_its_namespace() -> None:
    release = ReleaseSettings(namespace="lccp-system", name="lccp")
    cluster = Namespaces()
    ownership = Ownership(cluster, an_installation(release=release, adopt_from=("a",)))

    assert ownership.owner == Owner("lccp-system/lccp@01234567", frozenset({"a"}))
    assert ownership.owner.id.startswith("lccp-system")
    assert cluster.asked == 1


def test_without_a_release_nobody_is_asked() -> None:
    cluster = Namespaces()

    assert Ownership(cluster, an_installation()).owner == Owner()
    assert cluster.asked == 0


class Store(MemoryStore):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url


class OneLease(api.Cluster):
    """A cluster with the release's namespace and, until it is deleted, its Lease."""

    def __init__(self) -> None:
        self.guard = lambda: None
        self.lease: Object | None = {"metadata": {"name": "lccp"}}

    def get(self, kind: api.Kind, namespace: str | None, name: str) -> Object:
        if kind == api.NAMESPACES:
            return {"metadata": {"uid": "0123456789abcdef"}}
        if self.lease is None:
            raise NotFound(name)
        return deepcopy(self.lease)

    def replace(self, kind: api.Kind, document: Object) -> Object:
        self.lease = document
        return document

    @property
    def noted(self) -> str | None:
        assert self.lease is not None
        told: str | None = self.lease["metadata"].get("annotations", {}).get(NOTED)
        return told


class Installed:
    """A release whose one store is `store`, in a process that has just started."""

    def __init__(self, cluster: OneLease, store: Store) -> None:
        self.health = {"default": StoreHealth(store, lambda _: None)}
        release = ReleaseSettings(namespace="lccp-system", name="lccp")
        lease = LeaseSettings(name="lccp", namespace="lccp-system")
        ownership = Ownership(cluster, an_installation(release=release))
        self.marks = StoreMarks(cluster, ownership, lease)

    def missing(self) -> str | None:
        return self.marks.missing(a_small_run(), NOTHING, self.health)


RIGHT, WRONG = "s3://lccp/runs", "s3://lccp/rusn"


def test_the_first_run_marks_its_store_and_the_lease_notes_where_that_was() -> None:
    cluster, store = OneLease(), Store(RIGHT)

    assert Installed(cluster, store).missing() is None
    assert list(store.objects) == [MARK]
    assert cluster.noted == RIGHT
    assert Installed(cluster, store).missing() is None


def test_no_run_begins_in_another_place_which_stays_as_it_was() -> None:
    cluster, elsewhere = OneLease(), Store(WRONG)
    Installed(cluster, Store(RIGHT)).missing()

    told = Installed(cluster, elsewhere).missing()

    assert told is not None
    assert f"{WRONG} has no {MARK}, though this installation began its runs in {RIGHT}" in told
    assert told.endswith(f"kubectl annotate lease lccp --namespace lccp-system {NOTED}-")
    assert elsewhere.objects == {}
    assert cluster.noted == RIGHT


def test_nor_in_a_place_that_was_emptied() -> None:
    cluster, store = OneLease(), Store(RIGHT)
    Installed(cluster, store).missing()
    store.objects.clear()

    assert "has begun runs in it" in (Installed(cluster, store).missing() or "")


def test_nor_where_the_url_leads_to_another_place_by_now() -> None:
    """A name, a load balancer or a mount changed: the operator's process stays."""
    cluster, store = OneLease(), Store(RIGHT)
    installed = Installed(cluster, store)
    assert installed.missing() is None
    marked, store.objects = store.objects, {}

    assert "has begun runs in it" in (installed.missing() or "")
    assert store.objects == {}
    store.objects = marked
    assert installed.missing() is None


def test_a_mark_that_is_there_costs_the_next_runs_no_call_of_the_api_server() -> None:
    cluster = OneLease()
    installed = Installed(cluster, Store(RIGHT))
    installed.missing()
    cluster.lease = None

    assert installed.missing() is None


def test_it_does_once_the_note_is_removed_or_the_objects_are_copied() -> None:
    cluster, store, copied = OneLease(), Store(RIGHT), Store(WRONG)
    Installed(cluster, store).missing()

    copied.objects |= store.objects
    assert Installed(cluster, copied).missing() is None
    assert cluster.noted == WRONG

    assert cluster.lease is not None
    cluster.lease["metadata"]["annotations"] = {}
    assert Installed(cluster, Store(RIGHT)).missing() is None
    assert cluster.noted == RIGHT


def test_a_mark_that_could_not_be_noted_is_noted_at_the_next_try() -> None:
    class Busy(OneLease):
        busy = True

        def replace(self, kind: api.Kind, document: Object) -> Object:
            if self.busy:
                raise Conflict("another writer was first")
            return super().replace(kind, document)

    cluster, store = Busy(), Store(RIGHT)
    installed = Installed(cluster, store)
    with pytest.raises(Conflict):
        installed.missing()

    cluster.busy = False
    assert installed.missing() is None
    assert cluster.noted == RIGHT


def test_a_lease_that_was_deleted_is_waited_for() -> None:
    cluster = OneLease()
    cluster.lease = None

    with pytest.raises(api.ApiUnavailable, match="it is made again"):
        Installed(cluster, Store(RIGHT)).missing()


def test_only_runs_that_never_began_need_the_mark() -> None:
    cluster, began = OneLease(), World(a_small_run(), NEVER)
    began.reconcile()
    Installed(cluster, Store(RIGHT)).missing()
    elsewhere = Installed(cluster, Store(WRONG))
    known, now = began.facts, datetime.now(UTC)

    assert elsewhere.marks.missing(began.run, NOTHING, elsewhere.health) is None
    assert elsewhere.marks.missing(a_small_run(), Known(known), elsewhere.health) is None
    assert elsewhere.marks.missing(a_small_run(), Unknown(now, "no"), elsewhere.health) is None


def test_an_installation_without_a_lease_marks_nothing() -> None:
    store = Store(RIGHT)
    health = {"default": StoreHealth(store, lambda _: None)}
    cluster = OneLease()
    marks = StoreMarks(cluster, Ownership(cluster, an_installation()), None)

    assert marks.missing(a_small_run(), NOTHING, health) is None
    assert store.objects == {}
