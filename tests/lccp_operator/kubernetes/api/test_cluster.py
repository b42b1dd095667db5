"""Calls of the API server, through a proxy that injects faults."""

from pathlib import Path

import pytest
from a_cluster import Namespace, connect, run_document
from api_proxy import ApiProxy, Fault

from lccp.contract.errors import Conflict, InvalidInput, NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import ApiUnavailable, Cluster, Forbidden
from lccp_operator.kubernetes.api import cluster as calls

pytestmark = pytest.mark.apiserver

BUSY = {"Retry-After": "0"}


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(
    proxy: ApiProxy, proxied: Cluster, namespace: Namespace, status: int
) -> None:
    namespace.create_run(run_document("tiny"))
    proxy.faults.extend([Fault("GET", "lccpruns", status, BUSY)] * 2)

    assert proxied.get(api.RUNS, namespace.name, "tiny")["metadata"]["name"] == "tiny"
    assert not proxy.faults


def test_a_server_that_stays_busy_is_given_up(proxy: ApiProxy, proxied: Cluster) -> None:
    proxy.faults.extend([Fault("GET", "jobs", 429, BUSY)] * calls.TRIES)

    with pytest.raises(ApiUnavailable, match=r"does not answer GET .*: 429"):
        proxied.list(api.JOBS)


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, Forbidden), (404, NotFound), (409, Conflict), (422, InvalidInput)],
)
def test_a_refusal_is_not_tried_again(
    proxy: ApiProxy, proxied: Cluster, status: int, error: type[Exception]
) -> None:
    proxy.faults.append(Fault("GET", "jobs", status, body={"message": "because"}))

    with pytest.raises(error, match="because"):
        proxied.list(api.JOBS)
    assert len(proxy.requests) == 1


def test_a_creation_that_finds_something_missing_is_refused(
    proxy: ApiProxy, proxied: Cluster
) -> None:
    """What is missing is not the object: its namespace, or what a webhook looked for."""
    proxy.faults.append(Fault("POST", "services", 404, body={"message": "because"}))

    with pytest.raises(api.Refused, match="because"):
        proxied.create(api.SERVICES, {"metadata": {"name": "s", "namespace": "none"}})


def test_a_field_that_the_crd_lacks_is_not_tried_again(proxy: ApiProxy, proxied: Cluster) -> None:
    told = ".status.installation: field not declared in schema"
    proxy.faults.append(Fault("PATCH", "lccpruns", 500, body={"message": told}))

    with pytest.raises(api.Refused, match="the CRD in the cluster is of another version"):
        proxied.patch(api.RUNS, "default", "tiny", {}, "status")
    assert len(proxy.requests) == 1


def test_a_guard_is_asked_before_every_try_of_a_write(
    proxy: ApiProxy, tmp_path: Path, namespace: Namespace
) -> None:
    asked: list[int] = []
    guarded = connect(proxy.kubeconfig(tmp_path / "guarded"))
    guarded.guard = lambda: asked.append(1)
    proxy.faults.append(Fault("POST", "services", 503, BUSY))
    port = {"spec": {"ports": [{"port": 80}]}, "metadata": {"name": "s"}}

    guarded.create(api.SERVICES, port | {"metadata": {"name": "s", "namespace": namespace.name}})
    guarded.list(api.SERVICES)

    assert len(asked) == 2


def test_a_watch_of_objects_that_nobody_changes_ends_in_silence(
    cluster: Cluster, namespace: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "WATCH_SILENCE_SECONDS", 0.3)
    _, version = cluster.listing(api.SERVICES, namespace.name)

    assert list(cluster.watch(api.SERVICES, namespace.name, version)) == []
