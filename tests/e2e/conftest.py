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
def stubs(cluster: Cluster, operator_image: None) -> Iterator[StubCluster]:
    """The cluster with stubs for pods; its nodes must see a folder of this machine."""
    if "CLUSTER_HOST_IP" not in os.environ:
        missing("needs a cluster whose nodes are on this machine: see `make cluster`")
    shared = os.environ.get("CLUSTER_SHARED_DIR")
    with tempfile.TemporaryDirectory(prefix="lccp-e2e-", dir=shared) as name:
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
def operator_image(cluster: Cluster) -> None:
    """The operator's image, on every node."""
    need_images(cluster, IMAGES[0])


@pytest.fixture(scope="session")
def images(cluster: Cluster) -> None:
    """The product's images, on every node."""
    need_images(cluster, *IMAGES)


def need_images(cluster: Cluster, *images: str) -> None:
    for node in cluster.list(Kind("v1", "nodes")):
        names = [name for image in node["status"]["images"] for name in image.get("names", ())]
        for image in images:
            if not any(image in name for name in names):
                missing(
                    f"needs the image {image} on {node['metadata']['name']}: see `make cluster`"
                )
