"""A minimal operator, as in Kopf's tutorial: a Job for every new run.

No status, no store, no conditions, no further checks. The operator is compared with it.
"""

from typing import Any

import kopf
from kubernetes import client

from lccp.api import labels


@kopf.on.create(labels.GROUP, labels.VERSION, labels.PLURAL)
def create_job(body: kopf.Body, spec: kopf.Spec, name: str, namespace: str, **_: Any) -> None:
    """Create the Job; its pod has the run's placement, and a container named `trainer`."""
    topology = spec["topology"]
    placement = topology["placement"]
    pod = {
        "restartPolicy": "Never",
        "nodeSelector": placement["nodeSelector"],
        "tolerations": placement["tolerations"],
        "containers": [{"name": "trainer", "image": "localhost/trainer:1"}],
    }
    metadata = {"annotations": dict(topology["podTemplate"]["metadata"]["annotations"])}
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": {labels.RUN: name}},
        "spec": {"backoffLimit": 0, "template": {"metadata": metadata, "spec": pod}},
    }
    kopf.adopt(job, owner=body)
    client.BatchV1Api().create_namespaced_job(namespace, job)
