"""What Kopf reports of runs."""

import threading
from collections.abc import Iterator
from pathlib import Path

import kopf
import pytest
from a_cluster import Namespace, connect, run_document
from api_proxy import ApiProxy, Fault
from apiserver import ApiServer, running
from kubernetes.config import kube_config
from operator_process import OperatorProcess, installation, wait_for

from lccp.api import labels
from lccp.api.crd import crd
from lccp_operator.kubernetes import handlers
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.handlers import RunWatch, registry
from lccp_operator.kubernetes.workloads.seen import RunKey

pytestmark = pytest.mark.apiserver

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/lccpruns.lccp.io"


def test_a_run_is_told_with_its_object_until_it_is_gone_and_nothing_is_stored_in_it(
    namespace: Namespace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(server.kubeconfig))
    told: list[tuple[RunKey, Object | None]] = []
    ready, stop = threading.Event(), threading.Event()
    watch = threading.Thread(
        target=lambda: kopf.run(
            registry=registry(lambda key, body: told.append((key, body)), stop.set),
            standalone=True,
            namespaces=[namespace.name],
            ready_flag=ready,
            stop_flag=stop,
        )
    )
    watch.start()
    try:
        namespace.create_run(run_document("tiny"))
        wait_for(lambda: told, "nothing is told")
        stored = namespace.run("tiny")
        namespace.delete_run("tiny")
        wait_for(lambda: told[-1][1] is None, "its end is not told")
    finally:
        stop.set()
        watch.join(20)

    assert {key for key, _ in told} == {RunKey(namespace.name, "tiny")}
    assert told[0][1] is not None
    assert told[0][1]["spec"] == stored["spec"]
    assert {"annotations", "finalizers"}.isdisjoint(stored["metadata"])


def test_a_namespace_that_refuses_for_long_is_watched_once_it_does_not(
    namespace: Namespace, proxy: ApiProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(kubeconfig))
    monkeypatch.setattr(handlers, "PAUSES_SECONDS", (0.01,))
    proxy.faults.extend([Fault("GET", f"{namespace.name}/lccpruns", 403)] * 20)
    told: list[RunKey] = []
    watch = RunWatch(connect(kubeconfig), (namespace.name,), lambda key, _: told.append(key))
    thread = threading.Thread(target=watch.follow)
    thread.start()
    try:
        namespace.create_run(run_document("tiny"))
        wait_for(lambda: told, "nothing is told")
    finally:
        watch.stop()
        thread.join(20)
    assert not proxy.faults


@pytest.mark.parametrize("dead", [False, True])
def test_watches_are_begun_again_and_again_also_beside_dead_ones(
    namespace: Namespace,
    proxy: ApiProxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    dead: bool,
) -> None:
    path = proxy.kubeconfig(tmp_path / "kubeconfig")
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(path))
    monkeypatch.setattr(handlers, "WATCH_SECONDS", 1)
    monkeypatch.setattr(handlers, "DEAD_SECONDS", 1)
    if dead:
        proxy.faults.extend([Fault("GET", "/lccpruns?watch=true", 200, seconds=60.0)] * 2)
    watch = RunWatch(connect(path), [namespace.name], lambda *_: None)
    thread = threading.Thread(target=watch.follow)
    thread.start()
    try:
        wait_for(
            lambda: sum("/lccpruns?watch=true" in asked for asked in proxy.requests) > 2,
            "a watch is waited for",
        )
    finally:
        watch.stop()
        thread.join(20)

    listed = [asked for asked in proxy.requests if asked.endswith("/lccpruns")]
    assert len(listed) == 1, "each run would be reported again"


def test_no_silence_cancels_the_task_that_takes_the_events(
    namespace: Namespace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kopf's limit for silence does so if it passes while that task hands on an event."""
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(server.kubeconfig))
    settings, stop = kopf.OperatorSettings(), threading.Event()
    stop.set()

    kopf.run(
        registry=registry(lambda *_: None, lambda: None),
        settings=settings,
        standalone=True,
        namespaces=[namespace.name],
        stop_flag=stop,
    )

    watching = settings.watching
    assert watching.server_timeout is not None
    assert watching.client_timeout is not None
    assert watching.server_timeout < watching.client_timeout <= 20
    assert watching.client_timeout < watching.inactivity_timeout


@pytest.mark.long
@pytest.mark.parametrize("kind", ["lccpruns", "pods"])
def test_a_kind_that_may_be_read_in_no_namespace_makes_the_operator_unready(
    namespace: Namespace, proxy: ApiProxy, tmp_path: Path, kind: str
) -> None:
    """Kopf says of runs that it may not read in its log alone."""
    other: Namespace = Namespace.create(namespace.api, namespace.root)
    refused = {other.name: "jobs", namespace.name: kind}
    for name, plural in refused.items():
        proxy.faults.extend([Fault("GET", f"{name}/{plural}", 403)] * 1_000)
    settings = installation(namespace.root, namespaces=[*refused])
    operator = OperatorProcess(tmp_path, proxy.kubeconfig(tmp_path / "kubeconfig"), settings)
    operator.start()

    wait_for(lambda: "none of its namespaces" in operator.get("/readyz")[1], "it is not told")
    for name in refused:
        gauge = f'lccp_namespace_refused{{watched_namespace="{name}"}}'
        wait_for(lambda gauge=gauge: operator.metric(gauge) == 1.0, f"{name} is not named")
    proxy.faults.clear()
    operator.wait_ready()
    assert operator.stop() == 0


@pytest.mark.long
def test_runs_that_may_be_read_nowhere_are_told(
    namespace: Namespace, proxy: ApiProxy, tmp_path: Path
) -> None:
    proxy.faults.extend([Fault("GET", f"/{labels.API_VERSION}/lccpruns", 403)] * 1_000)
    kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig")
    operator = OperatorProcess(tmp_path, kubeconfig, installation(namespace.root)).start()

    wait_for(lambda: "does not report LCCPRuns" in operator.get("/readyz")[1], "it is not told")
    gauge = 'lccp_namespace_refused{watched_namespace="*"}'
    wait_for(lambda: operator.metric(gauge) == 1.0, "no metric tells it")
    proxy.faults.clear()
    operator.wait_ready()
    wait_for(lambda: operator.metric(gauge) == 0.0, "the metric tells it for ever")
    operator.kill()


@pytest.fixture
def bare(apiserver: ApiServer) -> Iterator[ApiServer]:
    """An API server that does not serve runs; that of other tests does."""
    with running(apiserver.programs) as made:
        yield made


@pytest.mark.long
@pytest.mark.parametrize("clusterwide", [True, False])
def test_runs_are_watched_once_they_are_served_and_when_they_are_served_again(
    bare: ApiServer, tmp_path: Path, clusterwide: bool
) -> None:
    namespace = Namespace.create(connect(bare.kubeconfig), tmp_path)
    within = {} if clusterwide else {"namespaces": [namespace.name]}
    operator = OperatorProcess(tmp_path, bare.kubeconfig, installation(tmp_path, **within)).start()
    for name in ("first", "second"):
        wait_for(
            lambda: "does not serve LCCPRuns" in operator.get("/readyz")[1],
            "it does not say what it lacks",
            operator.log,
        )
        bare.install_crd(crd())
        operator.wait_ready()
        namespace.create_run(run_document(name))
        namespace.wait_job(f"{name}-train-a1")

        bare.call("DELETE", CRD)
        wait_for(lambda: operator.exit_code == 0, "it works on", operator.log)
        wait_for(lambda: bare.call("GET", CRD).code == 404, "the CRD stays")
        operator.start()
    operator.kill()


@pytest.mark.long
def test_a_namespace_that_refuses_takes_none_of_the_others_away(
    server: ApiServer, namespace: Namespace, proxy: ApiProxy, tmp_path: Path
) -> None:
    refusing: Namespace = Namespace.create(namespace.api, namespace.root)
    proxy.faults.extend([Fault("GET", f"/{refusing.name}/", 403)] * 10_000)
    watched = [refusing.name, namespace.name]
    kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig")
    settings = installation(namespace.root, namespaces=watched)
    operator = OperatorProcess(tmp_path, kubeconfig, settings).start().wait_ready()
    for one in (refusing, namespace):
        one.create_run(run_document("tiny"))

    namespace.wait_job("tiny-train-a1")
    for name, value in zip(watched, (1.0, 0.0), strict=True):
        shown = f'lccp_namespace_refused{{watched_namespace="{name}"}} {value}'
        assert shown in operator.get("/metrics")[1]
    assert refusing.job("tiny-train-a1") is None

    proxy.faults.clear()
    refusing.wait_job("tiny-train-a1")
    assert operator.stop() == 0
