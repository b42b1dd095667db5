"""An informer follows the objects of runs, and reports when it is out of touch."""

import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace
from api_proxy import ApiProxy, Fault
from operator_process import wait_for

from lccp.api import labels
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import ApiUnavailable, Cluster
from lccp_operator.kubernetes.api import cluster as calls
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads import informer as informers
from lccp_operator.kubernetes.workloads import kept
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.seen import RunKey

pytestmark = pytest.mark.apiserver


class Watching:
    """An informer of Jobs, and the changes that it announced."""

    def __init__(self, cluster: Cluster, *namespaces: str) -> None:
        self.changes: list[RunKey] = []
        self.informer = Informer(cluster, api.JOBS, namespaces, self.changes.append)

    def names(self, key: RunKey) -> set[str]:
        return {job["metadata"]["name"] for job in self.informer.of(key)}

    def wait_names(self, key: RunKey, *names: str) -> None:
        wait_for(lambda: self.informer.synced, "the informer is not in touch")
        wait_for(lambda: self.names(key) == {*names}, f"{names} are not cached")

    def forget_changes(self, key: RunKey) -> None:
        """Those that are announced; that of the run is one of them, if a little after its cache."""
        wait_for(lambda: key in self.changes, "no change is announced")
        self.changes.clear()


@pytest.fixture
def watching(proxied: Cluster) -> Iterator[Watching]:
    stop, made = threading.Event(), Watching(proxied)
    made.informer.start(stop)
    yield made
    stop.set()


def a_job(namespace: Namespace, name: str, run: str = "tiny") -> Object:
    template = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    metadata = {"name": name, "labels": {"lccp.io/run": run}}
    spec = {"template": {"spec": template}}
    document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}
    return namespace.create_object(api.JOBS, document)


def remove(namespace: Namespace, job: Object) -> None:
    body = {"propagationPolicy": "Background"}
    namespace.api.call("DELETE", api.JOBS.path(namespace.name, job["metadata"]["name"]), body)


def test_an_informer_follows_what_is_created_and_deleted(
    watching: Watching, namespace: Namespace
) -> None:
    key = RunKey(namespace.name, "tiny")
    job = a_job(namespace, "one")
    a_job(namespace, "two")
    a_job(namespace, "another", "huge")
    watching.wait_names(key, "one", "two")

    remove(namespace, job)

    watching.wait_names(key, "two")
    assert watching.names(RunKey(namespace.name, "huge")) == {"another"}
    assert {key, RunKey(namespace.name, "huge")} <= {*watching.changes}


def test_own_writes_are_cached_at_once_and_are_no_change(
    watching: Watching, namespace: Namespace, proxy: ApiProxy
) -> None:
    key = RunKey(namespace.name, "tiny")
    one = a_job(namespace, "one")
    watching.wait_names(key, "one")
    proxy.down = True
    watching.forget_changes(key)

    two = a_job(namespace, "two")
    assert watching.informer.upsert(two)
    assert watching.informer.remove(one)
    assert watching.names(key) == {"two"}

    assert not watching.informer.upsert(two)
    assert not watching.informer.remove(one)
    assert key not in watching.changes


@pytest.mark.parametrize(("field", "is_change"), [("active", True), ("terminating", False)])
def test_only_a_change_of_what_is_kept_is_change(
    watching: Watching, namespace: Namespace, field: str, is_change: bool
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    watching.forget_changes(key)
    changed = namespace.api.patch(api.JOBS, namespace.name, "one", {"status": {field: 1}}, "status")
    version = changed["metadata"]["resourceVersion"]

    def cached() -> bool:
        (job,) = watching.informer.of(key)
        return bool(job["metadata"]["resourceVersion"] == version)

    wait_for(cached, "the change is not cached")
    a_job(namespace, "two", "huge")
    wait_for(lambda: RunKey(namespace.name, "huge") in watching.changes, "no change of the other")
    assert (key in watching.changes) == is_change


def test_an_answer_that_comes_after_its_object_is_gone_brings_nothing_back(
    watching: Watching, namespace: Namespace
) -> None:
    key = RunKey(namespace.name, "tiny")
    answer = a_job(namespace, "one")
    watching.wait_names(key, "one")
    remove(namespace, answer)
    watching.wait_names(key)

    assert not watching.informer.upsert(answer)
    assert watching.names(key) == set()


@pytest.mark.parametrize("own", [{}, {"labels": {"app": "another"}}])
def test_an_answer_about_an_object_that_just_lost_its_label_is_left_to_the_watch(
    watching: Watching, namespace: Namespace, own: Object
) -> None:
    answer = {"metadata": {"namespace": namespace.name, "name": "one", "uid": "1"} | own}

    assert not watching.informer.upsert(answer)


def test_an_object_that_lost_its_label_and_has_it_again_is_known_again(
    watching: Watching, namespace: Namespace
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")

    for value, names in ((None, ()), ("tiny", ("one",))):
        patch = {"metadata": {"labels": {labels.RUN: value}}}
        namespace.api.patch(api.JOBS, namespace.name, "one", patch)
        watching.wait_names(key, *names)


def test_an_object_whose_label_names_another_run_is_that_runs_alone(
    watching: Watching, namespace: Namespace
) -> None:
    key, other = RunKey(namespace.name, "tiny"), RunKey(namespace.name, "huge")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    watching.forget_changes(key)

    patch = {"metadata": {"labels": {labels.RUN: "huge"}}}
    namespace.api.patch(api.JOBS, namespace.name, "one", patch)

    watching.wait_names(other, "one")
    assert watching.names(key) == set()
    wait_for(lambda: {key, other} <= {*watching.changes}, "both runs are not told")


def test_what_disappeared_while_the_watch_was_broken_is_not_cached(
    watching: Watching, namespace: Namespace, proxy: ApiProxy
) -> None:
    key = RunKey(namespace.name, "tiny")
    job = a_job(namespace, "one")
    watching.wait_names(key, "one")
    proxy.down = True
    a_job(namespace, "two")
    remove(namespace, job)
    watching.forget_changes(key)
    proxy.faults.append(Fault("GET", "watch=", 410, body={"message": "too old"}))
    proxy.down = False

    watching.wait_names(key, "two")
    wait_for(lambda: key in watching.changes, "no change is announced")


def test_an_informer_that_lost_touch_is_not_believed(
    watching: Watching, namespace: Namespace, proxy: ApiProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    monkeypatch.setattr(informers, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(informers, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(calls, "TRIES", 1)

    proxy.down = True
    a_job(namespace, "two")
    wait_for(lambda: not watching.informer.synced, "it believes itself in touch")
    with pytest.raises(ApiUnavailable, match="does not report jobs"):
        watching.informer.of(key)

    proxy.down = False
    watching.wait_names(key, "one", "two")


def test_an_informer_follows_on_after_an_error_that_nobody_expected(
    watching: Watching, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = RunKey(namespace.name, "tiny")
    a_job(namespace, "one")
    watching.wait_names(key, "one")
    faults = [AttributeError("an object like no other")]

    def changed_since(job: Object) -> list[str]:
        if faults:
            raise faults.pop()
        return []

    monkeypatch.setattr(informers, "RETRY_SECONDS", 0.1)
    monkeypatch.setattr(kept, "changed_since", changed_since)
    a_job(namespace, "two")

    watching.wait_names(key, "one", "two")
    assert not faults


def test_an_informer_of_some_namespaces_leaves_the_others_alone(
    cluster: Cluster, namespace: Namespace, root: Path
) -> None:
    other: Namespace = Namespace.create(cluster, root)
    stop, watching = threading.Event(), Watching(cluster, namespace.name)
    a_job(namespace, "one")
    a_job(other, "two")

    watching.informer.start(stop)
    watching.wait_names(RunKey(namespace.name, "tiny"), "one")
    assert watching.names(RunKey(other.name, "tiny")) == set()
    stop.set()


def test_a_namespace_that_refuses_takes_none_of_the_others_away(
    proxied: Cluster,
    namespace: Namespace,
    root: Path,
    proxy: ApiProxy,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(informers, "RETRY_SECONDS", 0.1)
    refusing: Namespace = Namespace.create(namespace.api, root)
    key, refused = RunKey(namespace.name, "tiny"), RunKey(refusing.name, "tiny")
    stop, watching = (
        threading.Event(),
        Watching(proxied, *(one.namespace for one in (key, refused))),
    )
    proxy.faults.extend([Fault("GET", refusing.name, 403)] * 1_000)
    a_job(namespace, "one")
    a_job(refusing, "two")

    watching.informer.start(stop)
    wait_for(lambda: watching.informer.refusals, "no refusal is told")
    assert list(watching.informer.refusals) == [refusing.name]
    with pytest.raises(ApiUnavailable, match="does not report jobs"):
        watching.informer.of(refused)
    watching.wait_names(key, "one")

    monkeypatch.setattr(calls, "TRIES", 1)
    with proxy.lock:
        proxy.faults = deque([Fault("GET", refusing.name, 500)] * 8)
    while proxy.faults:
        assert watching.informer.synced, "an outage of a refused namespace counts for the others"
    wait_for(lambda: watching.informer.knows(refusing.name), "it is not read again")
    watching.wait_names(refused, "two")
    assert watching.informer.refusals == {}
    stop.set()


def test_of_an_api_server_restored_from_a_snapshot_only_what_that_holds_is_known(
    watching: Watching, namespace: Namespace, proxy: ApiProxy
) -> None:
    key = RunKey(namespace.name, "tiny")
    kept, lost = a_job(namespace, "one"), a_job(namespace, "two")
    watching.wait_names(key, "one", "two")
    remove(namespace, kept)
    watching.wait_names(key, "two")
    kept["metadata"]["resourceVersion"] = version = "5"
    proxy.down = True
    proxy.requests.clear()
    a_job(namespace, "three")
    wait_for(lambda: any("limit=" in asked for asked in proxy.requests), "the watch does not end")
    snapshot = {"items": [kept], "metadata": {"resourceVersion": version}}
    proxy.faults.append(Fault("GET", "limit=", 200, body=snapshot))
    bookmark = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "6"}}}
    proxy.faults.append(Fault("GET", "watch=", 200, seconds=60, body=bookmark))
    proxy.down = False

    watching.wait_names(key, "one")
    assert watching.informer.restored
    changed = {"metadata": kept["metadata"] | {"resourceVersion": "6"}, "status": {"active": 1}}
    assert watching.informer.upsert(changed)
    assert not watching.informer.remove(lost)


@pytest.mark.parametrize("event", ["BOOKMARK", "DELETED"])
def test_versions_that_a_restored_api_server_lacks_are_known_by_bookmarks_and_deletions_too(
    proxied: Cluster, namespace: Namespace, proxy: ApiProxy, event: str
) -> None:
    """On a quiet cluster nothing else tells of them: a watch of runs that began there is blind."""
    gone = a_job(namespace, "one")
    gone["metadata"]["resourceVersion"] = "999999999"
    proxy.faults.append(Fault("GET", "watch=", 200, body={"type": event, "object": gone}))
    stop, watching = threading.Event(), Watching(proxied, namespace.name)

    watching.informer.start(stop)

    wait_for(lambda: watching.informer.restored, "it is not noticed")
    stop.set()
