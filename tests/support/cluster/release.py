"""A release of the chart on the cluster of KUBECONFIG, and the pods of its operator."""

import json
import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from helm import CHART, RELEASE, Helm
from kubectl import kubectl
from stub_cluster import StubCluster

Object = dict[str, Any]
PROCESSES = Path("/proc")


@dataclass(frozen=True)
class Release:
    """The release `lccp` of its `namespace`; `folder` keeps its values."""

    helm: Helm
    kubeconfig: Path
    namespace: str
    folder: Path

    def apply(self, values: Object, *options: str) -> None:
        """Install the chart, or upgrade it; until its pods are ready."""
        path = self.folder / f"{self.namespace}.yaml"
        path.write_text(yaml.safe_dump(values))
        where = ("--namespace", self.namespace, "--values", str(path))
        words = (str(CHART), "--install", *where, "--wait", "--timeout", "4m", *options)
        self.helm.administer(self.kubeconfig, "upgrade", RELEASE, *words)

    def remove(self) -> None:
        """Uninstall it, and delete its namespace."""
        where = ("--namespace", self.namespace, "--ignore-not-found")
        self.helm.administer(self.kubeconfig, "uninstall", RELEASE, "--no-hooks", *where)
        kubectl("delete", "namespace", self.namespace, "--wait=false")

    def operators(self) -> dict[str, Object]:
        """Pods of the operator, by name."""
        selector = "--selector=app.kubernetes.io/component=operator"
        where = f"--namespace={self.namespace}"
        found = json.loads(kubectl("get", "pods", where, selector, "--output=json"))["items"]
        return {pod["metadata"]["name"]: pod for pod in found}

    def leader(self) -> str:
        """The pod that holds the Lease; empty for none."""
        return self.holder().rpartition("_")[0]

    def holder(self) -> str:
        """The process that holds the Lease: a restarted one of the same pod is another."""
        holder = "--output=jsonpath={.spec.holderIdentity}"
        return kubectl("get", "lease", RELEASE, f"--namespace={self.namespace}", holder)

    def kill(self, pod: str) -> None:
        """SIGKILL to the operator in `pod`; the node must be on this machine."""
        (process,) = _processes(self.operators()[pod]["metadata"]["uid"], "lccp-operator")
        os.kill(process, signal.SIGKILL)


def _processes(uid: str, program: str) -> list[int]:
    """Processes of this machine that run `program` in the pod with this UID.

    The name of the pod's cgroup holds the UID, with underscores where systemd made it.
    """
    found = []
    for folder in PROCESSES.glob("[0-9]*"):
        try:
            command, groups = (folder / "cmdline").read_text(), (folder / "cgroup").read_text()
        except OSError:
            continue
        if program in command and any(name in groups for name in (uid, uid.replace("-", "_"))):
            found.append(int(folder.name))
    return found


@contextmanager
def released(helm: Helm, kubeconfig: Path, name: str, folder: Path) -> Iterator[Release]:
    """A namespace `<name>-…` for a release, which is not applied yet; both are gone afterwards.

    No other release ever had that namespace: what the audit log says of it is of this one.
    """
    namespace = f"{name}-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", namespace)
    release = Release(helm, kubeconfig, namespace, folder)
    try:
        yield release
    finally:
        release.remove()


def stub_values(stubs: StubCluster, namespaces: list[str], **more: Any) -> Object:
    """Values of a release for runs of stubs in `namespaces`; its store is the folder they share."""
    folder = str(stubs.root)
    own = {
        "stores": [{"name": "default", "url": f"file://{folder}"}],
        "namespaces": namespaces,
        "crds": {"enabled": False},
        "exporter": {"enabled": False},
        "operator": {
            "extraVolumes": [{"name": "runs", "hostPath": {"path": folder}}],
            "extraVolumeMounts": [{"name": "runs", "mountPath": folder}],
        },
    }
    return own | more
