"""A real cluster: that of KUBECONFIG."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import connect
from breaking import Breaker
from needs import missing
from stub_cluster import StubCluster

from lccp.contract.errors import NotFound
from lccp_operator.kubernetes.api import Cluster, Kind

IMAGES = ("lccp-operator", "lccp-trainer", "lccp-evaluator")
CRDS = Path(__file__).parents[2] / "crds"
CLUSTER_TOOL = Path(__file__).parents[3] / "shared/kubernetes/cluster"


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    path = os.environ.get("KUBECONFIG")
    if path is None:
        missing("needs a cluster: set KUBECONFIG, see `make cluster`")
    apply = ("kubectl", "apply", "--server-side", "--force-conflicts", f"--filename={CRDS}")
    subprocess.run(apply, check=True, capture_output=True, timeout=60)
    return Path(path)


@pytest.fixture(scope="session")
def cluster(kubeconfig: Path) -> Cluster:
    return connect(kubeconfig)


@pytest.fixture(scope="session")
def kueue(cluster: Cluster) -> None:
    """Kueue is in the cluster."""
    try:
        cluster.list(Kind("kueue.x-k8s.io/v1beta1", "clusterqueues"))
    except NotFound:
        missing("needs Kueue in the cluster: see `make cluster`")


@pytest.fixture(scope="session")
def stubs(cluster: Cluster) -> Iterator[StubCluster]:
    """The cluster with stubs for pods; its nodes must see this machine's files."""
    if "CLUSTER_HOST_IP" not in os.environ:
        missing("needs a cluster whose nodes are on this machine: see `make cluster`")
    with tempfile.TemporaryDirectory(prefix="lccp-e2e-") as name:
        made = StubCluster(cluster, Path(name))
        made.make_ready()
        yield made


@pytest.fixture(scope="session")
def breaker(cluster: Cluster) -> Breaker:
    """What breaks nodes and API server."""
    tool = Path(os.environ.get("CLUSTER_TOOL", CLUSTER_TOOL))
    if not tool.exists():
        missing("needs a cluster on this machine, and its program: set CLUSTER_TOOL")
    return Breaker(tool, cluster)


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> None:
    """The product's images, on every node."""
    nodes = cluster.list(Kind("v1", "nodes"))
    for node in nodes:
        names = [name for image in node["status"]["images"] for name in image.get("names", ())]
        for image in IMAGES:
            if not any(image in name for name in names):
                missing(
                    f"needs the image {image} on {node['metadata']['name']}: see `make cluster`"
                )
