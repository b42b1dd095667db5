"""What Kopf reports of runs."""

import threading

import kopf
import pytest
from a_cluster import Namespace, run_document
from apiserver import ApiServer
from kubernetes.config import kube_config
from operator_process import wait_for

from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.handlers import registry
from lccp_operator.kubernetes.workloads.seen import RunKey

pytestmark = pytest.mark.apiserver


def test_a_run_is_told_with_its_object_until_it_is_gone_and_nothing_is_stored_in_it(
    namespace: Namespace, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(server.kubeconfig))
    told: list[tuple[RunKey, Object | None]] = []
    ready, stop = threading.Event(), threading.Event()
    watch = threading.Thread(
        target=lambda: kopf.run(
            registry=registry(lambda key, body: told.append((key, body)), clusterwide=False),
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
