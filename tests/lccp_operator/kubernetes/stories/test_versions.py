"""Runs whose status a newer version wrote, under an operator that can't read it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import Namespace, run_document
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for
from operator_world import START

from lccp.api.crd import crd
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import Acceptance, Journal
from lccp.store import objects
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.ownership import UID_LENGTH

pytestmark = pytest.mark.apiserver

OTHER = "lccp/other@00000001"


@pytest.fixture
def newer(server: ApiServer, namespace: Namespace) -> Iterator[Namespace]:
    """A namespace where the CRD knows a field more."""
    document = crd()
    schema = document["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["status"]["properties"]["newer"] = {"type": "string"}
    server.install_crd(document)
    yield namespace
    server.install_crd(crd())


def claimed(namespace: Namespace, name: str, installation: str) -> Object:
    """A run with a status of the newer version, once the API server knows its field."""
    namespace.create_run(run_document(name))
    status = {"installation": installation, "newer": "yes", "startTime": "2026-01-05T09:00:00Z"}

    def written() -> Object:
        return namespace.api.patch(api.RUNS, namespace.name, name, {"status": status}, "status")

    wait_for(lambda: "newer" in written()["status"], "the API server drops the new field")
    return written()


def own_release(namespace: Namespace, root: Path) -> tuple[str, Object]:
    """A release that watches the namespace alone, and its id."""
    uid = namespace.api.get(api.NAMESPACES, None, namespace.name)["metadata"]["uid"]
    release = {"name": "lccp", "namespace": namespace.name}
    settings = installation(root, namespaces=[namespace.name], release=release)
    return f"{namespace.name}/lccp@{uid[:UID_LENGTH]}", settings


def test_the_store_is_told_that_it_is_held(
    server: ApiServer, newer: Namespace, root: Path, tmp_path: Path
) -> None:
    own, settings = own_release(newer, root)
    body, keys = claimed(newer, "mine", own), newer.keys("mine")
    accepted = Acceptance(run_uid=body["metadata"]["uid"], at=START)
    objects.write(newer.store, keys.journal, Journal(accepted=accepted))
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()

    degraded = newer.wait_condition("mine", "Degraded", "True")
    complaint = "the store is not told"
    found = wait_for(
        lambda: objects.read_or_none(newer.store, keys.conditions, RunConditions), complaint
    )

    assert [c.message for c in found.conditions] == [degraded["message"]]
    assert operator.stop() == 0


def test_it_is_held_and_kept_if_it_is_its_own_and_left_alone_if_it_is_anothers(
    server: ApiServer, newer: Namespace, root: Path, tmp_path: Path
) -> None:
    own, settings = own_release(newer, root)
    before = {name: claimed(newer, name, id) for name, id in (("mine", own), ("theirs", OTHER))}
    operator = OperatorProcess(tmp_path, server.kubeconfig, settings).start().wait_ready()

    degraded = newer.wait_condition("mine", "Degraded", "True")
    wait_for(lambda: newer.events("theirs") == ["Refused"], "nobody is told", operator.log)

    assert "mine: status.newer: there is no such field" in degraded["message"]
    kept = newer.run("mine")["status"]
    assert kept | {"conditions": []} == before["mine"]["status"]
    assert newer.run("theirs")["status"] == before["theirs"]["status"]
    assert newer.jobs() == []
    assert not (root / newer.name).exists()
    assert operator.stop() == 0
