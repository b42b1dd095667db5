"""An operator and an API server without nodes: tests play the Job controller."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import JobPlayer, Namespace, connect
from admission import Webhook, admission
from api_proxy import ApiProxy, api_proxy
from apiserver import ApiServer
from operator_process import OperatorProcess, installation

from lccp.api.crd import crd
from lccp_operator.kubernetes.api import Cluster


@pytest.fixture(scope="session")
def server(apiserver: ApiServer) -> ApiServer:
    apiserver.install_crd(crd())
    return apiserver


@pytest.fixture
def proxy(server: ApiServer) -> Iterator[ApiProxy]:
    """The API server, behind a proxy that counts writes and makes faults."""
    with api_proxy(server.kubeconfig) as made:
        yield made


@pytest.fixture
def proxied(proxy: ApiProxy, tmp_path: Path) -> Cluster:
    """The API server, behind the proxy."""
    return connect(proxy.kubeconfig(tmp_path / "proxied"))


@pytest.fixture(scope="session")
def cluster(server: ApiServer) -> Cluster:
    return connect(server.kubeconfig)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is the store."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def operator(
    server: ApiServer, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    """An operator that looks after all namespaces, during one module: others have their own."""
    folder = tmp_path_factory.mktemp("operator")
    process = OperatorProcess(folder, server.kubeconfig, installation(root))
    yield process.start().wait_ready()
    assert process.stop() == 0


@pytest.fixture
def namespace(cluster: Cluster, root: Path) -> Namespace:
    made: Namespace = Namespace.create(cluster, root)
    return made


@pytest.fixture
def jobs(namespace: Namespace) -> JobPlayer:
    return JobPlayer(namespace)


@pytest.fixture
def webhook(server: ApiServer, namespace: Namespace, tmp_path: Path) -> Iterator[Webhook]:
    """One for the Jobs of the namespace."""
    with admission(server, namespace.name, tmp_path) as made:
        yield made
