"""Runs whose objects were deleted while no operator led, on a real API server."""

import threading
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace, run_document
from a_workload import INSTALLATION
from api_proxy import ApiProxy, Fault
from operator_process import OperatorProcess, installation, wait_for
from operator_world import START, MemoryStore

from lccp.api.objects.journal import Acceptance, Journal
from lccp.api.objects.run import RunIdentity
from lccp.contract.errors import StoreUnavailable
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.port import StoreLevel
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.installation import ReleaseSettings
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.deletions import UnseenDeletions
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey

pytestmark = pytest.mark.apiserver

LISTED = "/lccpruns?"


class Moody(MemoryStore):
    """A store that is silent when it is told to be."""

    silent = False

    def level(self, prefix: str) -> StoreLevel:
        if self.silent:
            raise StoreUnavailable("store memory:// does not answer")
        return super().level(prefix)


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture
def ownership(namespace: Namespace, proxied: api.Cluster) -> Ownership:
    release = ReleaseSettings(name="lccp", namespace=namespace.name)
    return Ownership(proxied, INSTALLATION.model_copy(update={"release": release}))


@pytest.fixture
def found() -> list[RunKey]:
    """The runs that are told as deleted."""
    return []


@pytest.fixture
def deletions(
    namespace: Namespace,
    proxied: api.Cluster,
    ownership: Ownership,
    store: Moody,
    found: list[RunKey],
) -> UnseenDeletions:
    stores = {"default": StoreHealth(store, lambda _: None)}
    return UnseenDeletions(proxied, ownership, (namespace.name,), stores, found.append)


def hold(store: MemoryStore, keys: RunKeys, installation: str, uid: str = "gone") -> None:
    """Put a run of `installation` into the store, accepted for the object `uid`."""
    objects.write(store, keys.identity, RunIdentity.model_validate(identity(keys, installation)))
    objects.write(store, keys.journal, Journal(accepted=Acceptance(run_uid=uid, at=START)))


def identity(keys: RunKeys, installation: str) -> dict[str, Any]:
    named = {"namespace": keys.namespace, "name": keys.name, "installation": installation}
    return {**named, "identity": {}}


def marked(store: MemoryStore, keys: RunKeys) -> bool:
    accepted = objects.read(store, keys.journal, Journal).accepted
    assert accepted is not None
    return accepted.deleted_at is not None


def test_a_run_whose_object_is_gone_is_marked_and_told_once(
    namespace: Namespace,
    deletions: UnseenDeletions,
    ownership: Ownership,
    store: Moody,
    found: list[RunKey],
) -> None:
    keys = RunKeys(namespace.name, "gone")
    hold(store, keys, ownership.owner.id)

    assert deletions.sweep()
    assert marked(store, keys)

    version = store.version
    store.gets.clear()
    assert deletions.sweep()
    assert (store.version, store.gets) == (version, [])
    assert found == [RunKey(namespace.name, "gone")]


def test_a_run_that_is_there_is_left_alone_and_not_read(
    namespace: Namespace,
    deletions: UnseenDeletions,
    ownership: Ownership,
    store: Moody,
    found: list[RunKey],
) -> None:
    there = namespace.create_run(run_document("tiny"))["metadata"]["uid"]
    keys = RunKeys(namespace.name, "tiny")
    hold(store, keys, ownership.owner.id, there)

    assert deletions.sweep()
    assert store.gets == []
    assert not marked(store, keys)
    assert found == []


def test_a_run_to_whose_folder_a_link_leads_is_not_the_one_that_is_gone(
    namespace: Namespace, deletions: UnseenDeletions, ownership: Ownership, store: Moody
) -> None:
    there = namespace.create_run(run_document("tiny"))["metadata"]["uid"]
    keys, link = RunKeys(namespace.name, "tiny"), RunKeys(namespace.name, "link")
    hold(store, keys, ownership.owner.id, there)
    store.objects |= {
        key.replace(keys.prefix, link.prefix): entry for key, entry in store.objects.items()
    }

    assert deletions.sweep()
    assert not marked(store, link)


def test_a_run_in_another_store_is_not_the_one_that_is_gone(
    namespace: Namespace, proxied: api.Cluster, ownership: Ownership
) -> None:
    stores, keys = (
        {"default": MemoryStore(), "other": MemoryStore()},
        RunKeys(namespace.name, "tiny"),
    )
    there = namespace.create_run(run_document("tiny"))["metadata"]["uid"]
    hold(stores["default"], keys, ownership.owner.id, there)
    hold(stores["other"], keys, ownership.owner.id)
    health = {name: StoreHealth(store, lambda _: None) for name, store in stores.items()}

    assert UnseenDeletions(proxied, ownership, (namespace.name,), health, print).sweep()

    assert not marked(stores["default"], keys)
    assert marked(stores["other"], keys)


def test_a_run_that_is_created_meanwhile_is_left_alone(
    namespace: Namespace, ownership: Ownership
) -> None:
    keys = RunKeys(namespace.name, "tiny")

    class Late(MemoryStore):
        """The object comes after all were listed, and before its run is found here."""

        def level(self, prefix: str) -> StoreLevel:
            uid = namespace.create_run(run_document("tiny"))["metadata"]["uid"]
            hold(self, keys, ownership.owner.id, uid)
            return super().level(prefix)

    store = Late()
    stores = {"default": StoreHealth(store, lambda _: None)}
    watched = (namespace.name,)
    assert UnseenDeletions(namespace.api, ownership, watched, stores, print).sweep()
    assert not marked(store, keys)


@pytest.mark.parametrize(
    ("where", "installation"), [("{}", "lccp/other@12345678"), ("{}", ""), ("elsewhere", "{}")]
)
def test_what_another_may_carry_out_is_left_alone(
    namespace: Namespace,
    deletions: UnseenDeletions,
    ownership: Ownership,
    store: Moody,
    where: str,
    installation: str,
) -> None:
    keys = RunKeys(where.format(namespace.name), "gone")
    hold(store, keys, installation.format(ownership.owner.id))

    assert deletions.sweep()
    assert not marked(store, keys)


def test_without_an_installation_nobody_is_asked(
    namespace: Namespace, proxied: api.Cluster, proxy: ApiProxy, store: Moody
) -> None:
    keys = RunKeys(namespace.name, "gone")
    hold(store, keys, "")
    stores = {"default": StoreHealth(store, lambda _: None)}

    assert UnseenDeletions(proxied, Ownership(proxied, INSTALLATION), (), stores, print).sweep()
    assert not marked(store, keys)
    assert proxy.requests == []


def test_all_namespaces_are_looked_through_where_all_are_watched(
    namespace: Namespace, proxied: api.Cluster, ownership: Ownership, store: Moody
) -> None:
    keys = RunKeys("of-a-namespace-that-is-gone", "gone")
    hold(store, keys, ownership.owner.id)
    store.put("lost+found/thing/x", b"1")
    stores = {"default": StoreHealth(store, lambda _: None)}

    assert UnseenDeletions(proxied, ownership, (), stores, print).sweep()
    assert marked(store, keys)


def test_nothing_is_marked_by_half_a_list_or_in_half_a_store(
    namespace: Namespace,
    deletions: UnseenDeletions,
    ownership: Ownership,
    proxy: ApiProxy,
    store: Moody,
) -> None:
    keys = RunKeys(namespace.name, "gone")
    hold(store, keys, ownership.owner.id)
    proxy.faults.append(Fault("GET", LISTED, 403))
    assert not deletions.sweep()
    assert not proxy.faults

    store.silent = True
    assert not deletions.sweep()
    assert not marked(store, keys)

    store.silent = False
    assert deletions.sweep()
    assert marked(store, keys)


def test_a_damaged_journal_keeps_no_other_run_from_being_marked(
    namespace: Namespace, deletions: UnseenDeletions, ownership: Ownership, store: Moody
) -> None:
    damaged, keys = (RunKeys(namespace.name, name) for name in ("a", "b"))
    for each in (damaged, keys):
        hold(store, each, ownership.owner.id)
    store.put(damaged.journal, b"{")

    assert deletions.sweep()
    assert marked(store, keys)


def test_it_waits_until_it_leads(
    namespace: Namespace, deletions: UnseenDeletions, ownership: Ownership, store: Moody
) -> None:
    keys = RunKeys(namespace.name, "gone")
    hold(store, keys, ownership.owner.id)
    stop, leading = threading.Event(), threading.Event()
    thread = threading.Thread(target=deletions.follow, args=(stop, leading))
    thread.start()
    store.gets.clear()
    assert not stop.wait(1.2)
    assert store.gets == []

    leading.set()
    wait_for(lambda: marked(store, keys), "it is not marked")
    stop.set()
    thread.join(10)
    assert not thread.is_alive()


def test_an_operator_marks_what_was_deleted_while_it_was_away(
    namespace: Namespace, root: Path, tmp_path: Path, server: Any
) -> None:
    release = {"name": "lccp", "namespace": namespace.name}
    settings = installation(root, namespaces=[namespace.name], release=release)
    process = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()
    namespace.create_run(run_document("tiny"))
    namespace.wait_condition("tiny", "Training", "False")
    assert process.stop() == 0

    namespace.delete_run("tiny")
    process.start().wait_ready()

    def deleted() -> bool:
        accepted = namespace.journal("tiny").accepted
        return accepted is not None and accepted.deleted_at is not None

    wait_for(deleted, "nobody says that it is deleted", process.log)
    assert process.stop() == 0
