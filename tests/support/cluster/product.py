"""The whole product on a real cluster: the release, its store, and the demo's applied run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from a_cluster import Namespace, connect
from helm import Helm
from kubectl import kubectl
from release import released
from seaweedfs import SeaweedFS, find_weed, running_seaweedfs

DEMO = Path(__file__).parents[3] / "examples" / "tiny" / "cluster.yaml"
SECRET = "s3-credentials"
BUCKET_PREFIX = "product"
TRAINER_CPU = "300m"
"""Of each of the two trainers, which would outrun the evaluators on a machine of two cores."""

HALF_AS_LONG = {"minGain": "0.1", "patience": 1}
"""What stops the run sooner, after the same verdicts."""


def credentials(namespace: str, store: SeaweedFS) -> None:
    """The Secret of the store's keys, in `namespace`."""
    keys = (
        f"--from-literal=accessKey={store.access_key}",
        f"--from-literal=secretKey={store.secret_key}",
    )
    kubectl("create", "secret", "generic", SECRET, f"--namespace={namespace}", *keys)


def values(store: SeaweedFS) -> dict[str, Any]:
    """Values of a release whose one store is `store`."""
    one = {
        "name": "default",
        "url": f"s3://{store.bucket}/{BUCKET_PREFIX}",
        "endpoint": store.endpoint,
        "credentialsSecret": SECRET,
    }
    return {"stores": [one], "crds": {"enabled": False}, "exporter": {"refreshSeconds": 5}}


def demo() -> dict[str, Any]:
    """The demo's run for a cluster, to be seen sooner on this machine."""
    run: dict[str, Any] = yaml.safe_load(DEMO.read_text())
    spec = run["spec"]
    trainer = {"requests": {"cpu": TRAINER_CPU, "memory": "1Gi"}}
    spec["topology"]["resources"] = trainer | {"limits": {"cpu": TRAINER_CPU, "memory": "2Gi"}}
    spec["saturation"] |= HALF_AS_LONG
    return run


@dataclass(frozen=True)
class Product:
    """A release in the namespace `release`, and a namespace for runs."""

    release: str
    runs: Namespace
    store: SeaweedFS

    def apply(self, run: dict[str, Any]) -> None:
        words = ("apply", f"--namespace={self.runs.name}", "--filename=-")
        kubectl(*words, stdin=json.dumps(run))

    def get(self, *words: str) -> str:
        return kubectl("get", f"--namespace={self.runs.name}", *words)

    def pods(self, namespace: str) -> list[dict[str, Any]]:
        found = kubectl("get", "pods", f"--namespace={namespace}", "--output=json")
        items: list[dict[str, Any]] = json.loads(found)["items"]
        return items

    def scrape(self, service: str) -> str:
        """/metrics of one of the release's Services, through the API server."""
        path = f"/api/v1/namespaces/{self.release}/services/http:{service}:metrics/proxy/metrics"
        return kubectl("get", f"--raw={path}")


@contextmanager
def installed(
    helm: Helm, kubeconfig: Path, name: str, folder: Path, *, confined: bool = False
) -> Iterator[Product]:
    """The chart in a namespace `<name>-…`, as docs/how-to/install.md says; its store is here.

    It reaches the whole cluster, or is confined to its namespace for runs. The CRD is there
    already: other tests of this cluster share it.
    """
    weed = find_weed()
    assert weed is not None
    with (
        running_seaweedfs(weed, folder, os.environ["CLUSTER_HOST_IP"]) as store,
        released(helm, kubeconfig, name, folder) as release,
    ):
        runs: Namespace = Namespace.create(connect(kubeconfig), folder)
        for namespace in (release.namespace, runs.name):
            credentials(namespace, store)
        release.apply(values(store) | {"namespaces": [runs.name] if confined else []})
        yield Product(release.namespace, runs, store)
        kubectl("delete", "namespace", runs.name, "--wait=false")
