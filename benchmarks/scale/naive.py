"""The least that an operator can do, as Kopf's tutorial has it: a Job for every new run.

No status, no store, no conditions, no look at anything again. The operator is measured beside it.
"""

from typing import Any

import kopf
from kubernetes import client

from lccp.api import labels


@kopf.on.create(labels.GROUP, labels.VERSION, labels.PLURAL)
def create_job(body: kopf.Body, spec: kopf.Spec, name: str, namespace: str, **_: Any) -> None:
    """Create the Job; its pod is placed as the run asks for it, and is called a trainer."""
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
