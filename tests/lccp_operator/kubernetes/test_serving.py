"""The operator as a process: its endpoint, and wrong beginnings."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiserver import ApiServer
from operator_process import OperatorProcess, installation

pytestmark = pytest.mark.apiserver


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


def test_a_store_that_cannot_be_written_is_refused_at_start(
    server: ApiServer, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    store = {"name": "default", "url": f"file://{tmp_path}/file"}

    code, words = start(tmp_path, server, "--port", "0", stores=[store])

    assert code == 2
    assert f"store file://{tmp_path}/file" in words
    assert "Traceback" not in words
