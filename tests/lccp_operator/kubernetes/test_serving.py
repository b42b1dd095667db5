"""The operator as a process: endpoint, shutdown, wrong beginnings, rights."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from a_cluster import JobPlayer, Namespace, run_document
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for

from lccp_operator.kubernetes import cluster as api
from lccp_operator.kubernetes.cluster import Cluster, Kind

pytestmark = pytest.mark.apiserver

RBAC = "rbac.authorization.k8s.io/v1"
RULES = [
    {"apiGroups": ["lccp.io"], "resources": ["lccpruns"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": ["lccp.io"], "resources": ["lccpruns"], "verbs": ["patch", "delete"]},
    {"apiGroups": ["lccp.io"], "resources": ["lccpruns/status"], "verbs": ["patch"]},
    {"apiGroups": ["lccp.io"], "resources": ["lccpruns/finalizers"], "verbs": ["update"]},
    {
        "apiGroups": ["batch"],
        "resources": ["jobs"],
        "verbs": ["list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]},
    {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "patch", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "create"]},
    {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get"]},
]
"""What a namespaced operator needs."""


def test_the_endpoint_tells_health_readiness_and_metrics(operator: OperatorProcess) -> None:
    assert operator.get("/healthz") == (200, "ok")
    assert operator.get("/readyz") == (200, "ok")
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
    command = [sys.executable, "-c", program, "--log-format", "console", *arguments]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stderr.strip()


def test_a_port_that_is_taken_is_named(
    operator: OperatorProcess, server: ApiServer, tmp_path: Path
) -> None:
    code, words = start(tmp_path, server, "--port", str(operator.port))

    assert (code, words) == (2, f"--port {operator.port} can't be used: Address already in use")


def test_a_store_that_cannot_be_written_is_refused_at_start(
    server: ApiServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    store = {"name": "default", "url": f"file://{tmp_path}/file"}

    code, words = start(tmp_path, server, "--port", "0", stores=[store])

    assert code == 2
    assert f"store file://{tmp_path}/file" in words
    assert "Traceback" not in words


@pytest.fixture
def account(server: ApiServer, namespace: Namespace, tmp_path: Path) -> Path:
    """A kubeconfig of a ServiceAccount with a Role in its own namespace, and nothing else."""
    accounts, roles = Kind("v1", "serviceaccounts"), Kind(RBAC, "roles")
    bindings = Kind(RBAC, "rolebindings")
    namespace.create_object(accounts, {"metadata": {"name": "lccp"}})
    namespace.create_object(roles, {"metadata": {"name": "lccp"}, "rules": RULES})
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lccp"}
    subject = {"kind": "ServiceAccount", "name": "lccp", "namespace": namespace.name}
    binding = {"metadata": {"name": "lccp"}, "roleRef": role, "subjects": [subject]}
    namespace.create_object(bindings, binding)
    path = accounts.path(namespace.name, "lccp", "token")
    token = namespace.api._call("POST", path, {"spec": {"expirationSeconds": 3600}})
    document = yaml.safe_load(server.kubeconfig.read_text())
    document["users"][0]["user"] = {"token": token["status"]["token"]}
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(document))
    return kubeconfig


@pytest.fixture
def confined(
    account: Path, namespace: Namespace, root: Path, tmp_path: Path
) -> Iterator[OperatorProcess]:
    settings = installation(root, namespaces=[namespace.name])
    process = OperatorProcess(tmp_path, account, settings).start().wait_ready()
    yield process
    process.kill()


def test_a_namespaced_operator_needs_a_role_only_and_leaves_other_namespaces_alone(
    confined: OperatorProcess, namespace: Namespace, cluster: Cluster, root: Path
) -> None:
    other: Namespace = Namespace.create(cluster, root)
    other.create_run(run_document("tiny"))
    document = run_document("tiny", deletionPolicy="DeleteArtifacts", purgeTimeoutSeconds=1)
    namespace.create_run(document)
    jobs = JobPlayer(namespace)
    jobs.start("tiny-train-a1")
    namespace.wait_condition("tiny", "Training", "True")
    namespace.delete_run("tiny")

    wait_for(lambda: not namespace.api.list(api.RUNS, namespace.name), "the run is still there")
    assert 'status="403"' not in confined.get("/metrics")[1]
    assert "orbidden" not in confined.log.read_text()
    assert other.jobs() == []
    assert confined.stop() == 0
