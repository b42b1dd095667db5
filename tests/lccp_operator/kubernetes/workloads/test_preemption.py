"""The newest state of a gang, as the objects tell of it that a queue reads."""

from contextlib import suppress
from datetime import UTC, datetime

import pytest
from a_cluster import Namespace
from api_proxy import ApiProxy, Fault
from operator_process import wait_for

from lccp.contract.errors import NotFound
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.api.answers import AlreadyExists
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.preemption import PRIORITY_BOOST, tell
from lccp_operator.kubernetes.workloads.reading import JOB_UID_LABEL
from lccp_operator.workloads.state import SavedState

pytestmark = pytest.mark.apiserver

AT = datetime(2026, 1, 5, 9, tzinfo=UTC)
DEFINITIONS = api.Kind("apiextensions.k8s.io/v1", "customresourcedefinitions")


@pytest.fixture
def kueue(namespace: Namespace) -> None:
    """Its API of Workloads, of any content."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {"name": "v1beta1", "served": True, "storage": True}
    definition = {
        "apiVersion": DEFINITIONS.api_version,
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "workloads.kueue.x-k8s.io"},
        "spec": {
            "group": "kueue.x-k8s.io",
            "scope": "Namespaced",
            "names": {"kind": "Workload", "plural": "workloads"},
            "versions": [version | {"schema": {"openAPIV3Schema": anything}}],
        },
    }
    with suppress(AlreadyExists):
        namespace.api.call("POST", DEFINITIONS.path(None), definition)
    wait_for(lambda: is_served(namespace), "the API of Workloads is not served")


def is_served(namespace: Namespace) -> bool:
    try:
        namespace.api.list(api.KUEUE_WORKLOADS, namespace.name)
    except NotFound:
        return False
    return True


@pytest.fixture
def job(namespace: Namespace) -> Object:
    pod = {"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "none"}]}
    spec = {"suspend": True, "template": {"spec": pod}}
    document = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "gang"}, "spec": spec}
    return namespace.create_object(api.JOBS, document)


def workload(namespace: Namespace, name: str, uid: str) -> None:
    meta = {"name": name, "labels": {JOB_UID_LABEL: uid}}
    document = {"apiVersion": api.KUEUE_WORKLOADS.api_version, "kind": "Workload", "metadata": meta}
    namespace.create_object(api.KUEUE_WORKLOADS, document)


def boost(namespace: Namespace, name: str) -> str | None:
    found = namespace.api.get(api.KUEUE_WORKLOADS, namespace.name, name)["metadata"]
    told: str | None = found.get("annotations", {}).get(PRIORITY_BOOST)
    return told


@pytest.mark.usefixtures("kueue")
def test_the_boost_is_written_to_the_gangs_own_workload(namespace: Namespace, job: Object) -> None:
    workload(namespace, "own", job["metadata"]["uid"])
    workload(namespace, "another", "0f5a1a0e-8f4c-4f0e-9a37-2a8f4a4f8f55")

    told = tell(namespace.api, namespace.name, "gang", SavedState(8_192, AT, old=True, boost=50))
    assert told["metadata"]["annotations"] == {
        "lccp.io/last-state-at": "2026-01-05T09:00:00Z",
        "lccp.io/last-state-tokens": "8192",
        "lccp.io/last-state-old": "true",
        PRIORITY_BOOST: "50",
    }
    assert (boost(namespace, "own"), boost(namespace, "another")) == ("50", None)

    tell(namespace.api, namespace.name, "gang", SavedState(16_384, AT, boost=0))
    assert boost(namespace, "own") == "0"


@pytest.mark.usefixtures("job")
def test_without_a_boost_only_the_job_tells_of_the_state(namespace: Namespace) -> None:
    told = tell(namespace.api, namespace.name, "gang", SavedState(8_192, AT))["metadata"][
        "annotations"
    ]
    assert told["lccp.io/last-state-old"] == "false"
    assert PRIORITY_BOOST not in told


@pytest.mark.usefixtures("kueue")
def test_a_boost_that_is_refused_is_tried_again(
    namespace: Namespace, job: Object, proxy: ApiProxy, proxied: Cluster
) -> None:
    """So the Job does not say that its state is old."""
    workload(namespace, "own", job["metadata"]["uid"])
    proxy.faults.append(Fault("PATCH", "/workloads/", 403, body={"message": "no"}))
    with pytest.raises(api.Refused):
        tell(proxied, namespace.name, "gang", SavedState(8_192, AT, old=True, boost=50))
    (refused,) = namespace.jobs()
    assert "lccp.io/last-state-old" not in refused["metadata"]["annotations"]


def test_a_job_that_is_gone_is_not_told(namespace: Namespace) -> None:
    with pytest.raises(NotFound):
        tell(namespace.api, namespace.name, "gone", SavedState(8_192, AT, boost=50))
