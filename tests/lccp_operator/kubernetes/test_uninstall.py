"""Runs that need the operator for their deletion are named before it is removed."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from a_cluster import Namespace, run_document
from a_workload import INSTALLATION
from apiserver import ApiServer
from operator_process import installation

from lccp.contract.errors import NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import FINALIZER
from lccp_operator.kubernetes.installation import Installation
from lccp_operator.kubernetes.uninstall import SHOWN, refusal


class Runs(api.Cluster):
    """A cluster of these runs; none: it knows no runs at all."""

    def __init__(self, *runs: Object) -> None:
        self._runs = runs

    def list(self, kind: api.Kind, namespace: str | None = None, **_: str) -> list[Object]:
        if not self._runs:
            raise NotFound("no lccpruns")
        return [r for r in self._runs if namespace in (None, r["metadata"]["namespace"])]


def a_body(name: str, namespace: str = "default", held: bool = True, owner: str = "") -> Object:
    finalizers = [FINALIZER] if held else []
    metadata = {"name": name, "namespace": namespace, "finalizers": finalizers}
    return {"metadata": metadata, "status": {"installation": owner or None}}


def watching(*namespaces: str) -> Installation:
    return INSTALLATION.model_copy(update={"namespaces": namespaces})


@pytest.mark.parametrize(
    "runs",
    [(), (a_body("free", held=False),), (a_body("theirs", owner="lccp/other@22222222"),)],
    ids=["no CRD", "no finalizer", "of another installation"],
)
def test_nothing_keeps_a_release_whose_runs_do_not_need_it(runs: tuple[Object, ...]) -> None:
    assert refusal(Runs(*runs), watching()) == ""


def test_only_namespaces_that_are_watched_count() -> None:
    runs = Runs(a_body("one", "a"), a_body("two", "b"))
    assert refusal(runs, watching("b")).startswith(
        "runs that need the operator to be deleted: b/two: delete"
    )


class Deleted(Runs):
    """A cluster in which the release has no right in `gone`, which was deleted."""

    def list(self, kind: api.Kind, namespace: str | None = None, **more: str) -> list[Object]:
        if namespace in ("gone", None):
            raise api.Forbidden("lccpruns is forbidden")
        return super().list(kind, namespace, **more)


def test_a_namespace_that_was_deleted_with_its_rights_keeps_no_release() -> None:
    cluster = Deleted(a_body("held", "team"))
    assert refusal(cluster, watching("gone")) == ""
    assert "team/held" in refusal(cluster, watching("gone", "team"))
    with pytest.raises(api.Forbidden):
        refusal(cluster, watching())


def test_many_are_counted_and_the_first_named() -> None:
    said = refusal(Runs(*(a_body(f"run-{n:03}") for n in range(SHOWN + 5))), watching())
    assert "default/run-000" in said
    assert "and 5 more: delete them" in said


def hook(server: ApiServer, namespace: Namespace, folder: Path) -> str:
    """What the hook says when it fails; nothing if it does not."""
    path = folder / "installation.yaml"
    path.write_text(yaml.safe_dump(installation(folder, namespaces=[namespace.name])))
    environ = {"LCCP_INSTALLATION": str(path), "KUBECONFIG": str(server.kubeconfig)}
    command = [sys.executable, "-m", "lccp_operator.kubernetes.uninstall"]
    done = subprocess.run(
        command, env=environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode != 0) == bool(done.stderr)
    return done.stderr


@pytest.mark.apiserver
def test_the_hook_fails_while_an_api_server_holds_such_a_run(
    server: ApiServer, namespace: Namespace, tmp_path: Path
) -> None:
    document = run_document("tiny", deletionPolicy="DeleteArtifacts")
    document["metadata"]["finalizers"] = [FINALIZER]
    namespace.create_run(document)

    assert f": {namespace.name}/tiny: delete them, or set" in hook(server, namespace, tmp_path)
    namespace.api.patch(api.RUNS, namespace.name, "tiny", {"metadata": {"finalizers": None}})
    assert hook(server, namespace, tmp_path) == ""
