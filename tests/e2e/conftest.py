"""A real cluster: that of KUBECONFIG."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import connect
from stub_cluster import StubCluster

from lccp_operator.kubernetes.cluster import Cluster

CRDS = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = os.environ.get("KUBECONFIG")
    if path is None:
        pytest.skip("needs a cluster: set KUBECONFIG")
    apply = ("kubectl", "apply", "--server-side", "--force-conflicts", f"--filename={CRDS}")
    subprocess.run(apply, check=True, capture_output=True, timeout=60)
    return Path(path)


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    return connect(kubeconfig)


@pytest.fixture(scope="session")
def stubs(cluster: Cluster) -> Iterator[StubCluster]:
    """The cluster with stubs for pods; its nodes must see this machine's files."""
    if "CLUSTER_HOST_IP" not in os.environ:
        pytest.skip("needs a cluster whose nodes are on this machine: see `make cluster`")
    with tempfile.TemporaryDirectory(prefix="lccp-e2e-") as name:
        made = StubCluster(cluster, Path(name))
        made.make_ready()
        yield made
