"""The operator as a process: its endpoint, and failed starts."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from a_cluster import Namespace, run_document
from api_proxy import ApiProxy, Fault
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for
from operator_world import EVERY_TOKENS

from lccp.api.labels import RUN
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.serve import WORKLOADS_SECONDS

pytestmark = pytest.mark.apiserver


def test_the_endpoint_tells_health_readiness_and_metrics(operator: OperatorProcess) -> None:
    assert operator.get("/healthz") == (200, "ok")
    assert operator.get("/readyz") == (200, "ok")
    assert operator.get("/stores") == (200, "ok")
    assert operator.get("/none")[0] == 404
    status, text = operator.get("/metrics")
    assert status == 200
    for name in (
        "lccp_reconcile_duration_seconds",
        "lccp_reconcile_errors_total",
        "lccp_queue_depth",
        "lccp_leading",
        "lccp_api_call_duration_seconds",
        "lccp_store_call_duration_seconds",
    ):
        assert f"# TYPE {name.removesuffix('_total')}" in text


def start(tmp_path: Path, server: ApiServer, *arguments: str, **more: Any) -> tuple[int, str]:
    """Exit code and last words of an operator that can't begin."""
    path = tmp_path / "installation.yaml"
    path.write_text(yaml.safe_dump(installation(tmp_path / "store", **more)))
    environ = {"LCCP_INSTALLATION": str(path), "KUBECONFIG": str(server.kubeconfig)}
    program = "from lccp_operator.main import main; main()"
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr.strip()


def test_a_port_that_is_taken_is_named(
    operator: OperatorProcess, server: ApiServer, tmp_path: Path
) -> None:
    code, words = start(tmp_path, server, "--port", str(operator.port))

    assert (code, words) == (2, f"--port {operator.port} can't be used: Address already in use")


@pytest.mark.slow
def test_an_operator_begins_anew_after_the_api_server_was_restored_from_a_snapshot(
    proxy: ApiProxy, namespace: Namespace, tmp_path: Path
) -> None:
    """Watches from the versions that it knew would report nothing until these are reached again."""
    settings = installation(tmp_path, namespaces=[namespace.name])
    kubeconfig = proxy.kubeconfig(tmp_path / "kubeconfig")
    operator = OperatorProcess(tmp_path, kubeconfig, settings).start().wait_ready()
    proxy.down = True
    proxy.requests.clear()
    pods = {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}
    metadata, spec = {"name": "one", "labels": {RUN: "tiny"}}, {"template": {"spec": pods}}
    namespace.create_object(api.JOBS, {"metadata": metadata, "spec": spec})
    listed = f"GET {api.JOBS.path(namespace.name)}?limit="
    wait_for(lambda: any(listed in asked for asked in proxy.requests), "the watch does not end")
    snapshot = {"items": [], "metadata": {"resourceVersion": "5"}}
    proxy.faults.append(Fault("GET", "/jobs?limit=", 200, body=snapshot))
    proxy.down = False
    wait_for(lambda: operator.exit_code == 0, "it works on", operator.log)

    assert "restored from an older snapshot" in operator.log.read_text()


@pytest.mark.long
def test_a_store_that_refuses_holds_its_own_runs_alone(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    stores = [
        {"name": "default", "url": f"file://{namespace.root}"},
        {"name": "refusing", "url": f"file://{tmp_path}/file"},
    ]
    settings = installation(tmp_path, stores=stores, namespaces=[namespace.name])
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()
    kept = {"everyTokens": EVERY_TOKENS, "storeName": "refusing"}
    namespace.create_run(run_document("held", checkpoints=kept))
    namespace.create_run(run_document("good"))

    namespace.wait_job("good-train-a1")
    told = namespace.wait_condition("held", "Degraded", "StoreUnreachable")
    assert f"store file://{tmp_path}/file" in told["message"]
    assert told["message"] in operator.log.read_text()
    assert operator.get("/stores") == (500, f"store refusing: {told['message']}")
    assert namespace.job("held-train-a1") is None

    (tmp_path / "file").unlink()
    namespace.wait_job("held-train-a1")
    assert operator.stop() == 0


@pytest.mark.long
def test_a_run_at_rest_says_that_its_store_is_unreachable_while_it_is(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    stores = [{"name": "default", "url": f"file://{root}"}]
    settings = installation(tmp_path, stores=stores, namespaces=[namespace.name])
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()
    namespace.create_run(run_document("tiny", suspend=True))
    namespace.wait_condition("tiny", "Degraded", "Healthy")
    for number in range(3):
        seen = {"metadata": {"annotations": {"reconciled": str(number)}}}
        namespace.api.patch(api.RUNS, namespace.name, "tiny", seen)
        time.sleep(2 * WORKLOADS_SECONDS)

    root.rename(tmp_path / "away")
    told = namespace.wait_condition("tiny", "Degraded", "StoreUnreachable", seconds=30)
    assert f"file://{root}" in told["message"]

    (tmp_path / "away").rename(root)
    namespace.wait_condition("tiny", "Degraded", "Healthy", seconds=30)
    assert operator.stop() == 0


def test_a_store_without_credentials_holds_its_own_runs_alone(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.mkdir()
    (keys / "accessKey").write_text("key")
    s3 = {"url": "s3://bucket/prefix", "endpoint": "http://127.0.0.1:1"}
    stores = [
        {"name": "default", "url": f"file://{namespace.root}"},
        {"name": "half", "credentialsDirectory": str(keys), **s3},
        {"name": "none", **s3},
    ]
    settings = installation(tmp_path, stores=stores, namespaces=[namespace.name])
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()
    for name in ("half", "none"):
        kept = {"everyTokens": EVERY_TOKENS, "storeName": name}
        namespace.create_run(run_document(name, checkpoints=kept))
    namespace.create_run(run_document("good"))

    namespace.wait_job("good-train-a1")
    half = namespace.wait_condition("half", "Degraded", "StoreUnreachable")
    assert f"{keys}/secretKey: No such file or directory" in half["message"]
    none = namespace.wait_condition("none", "Degraded", "StoreUnreachable")
    assert "store s3://bucket/prefix: has no credentials" in none["message"]
    assert operator.stop() == 0


def test_every_store_may_refuse_and_the_operator_is_ready(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    store = {"name": "default", "url": f"file://{tmp_path}/file"}
    settings = installation(tmp_path, stores=[store], namespaces=[namespace.name])
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()

    assert f"store file://{tmp_path}/file" in operator.log.read_text()
    assert operator.stop() == 0
