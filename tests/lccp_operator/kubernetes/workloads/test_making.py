"""Jobs are kept only as they were asked for, whatever a webhook makes of them."""

from typing import Any

import pytest
from a_cluster import Namespace, run_document
from a_workload import PINNED, RICH, STORE
from admission import HALVED, Webhook

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.backend import KubernetesWorkloads
from lccp_operator.kubernetes.events import LateAnswers
from lccp_operator.kubernetes.workloads.asked import changed_since
from lccp_operator.kubernetes.workloads.informer import Informer
from lccp_operator.kubernetes.workloads.reading import WorkloadReader
from lccp_operator.workloads.training import Training

GANG = Training(1)
TEMPLATE = "/spec/template/metadata/labels"
UNLABELLED = [{"op": "replace", "path": TEMPLATE, "value": {}}]


@pytest.fixture
def run(namespace: Namespace) -> LCCPRun:
    document = run_document("tiny", topology={"nodes": 2})
    return LCCPRun.parse(namespace.create_run(document), "tiny")


@pytest.fixture
def workloads(cluster: api.Cluster) -> KubernetesWorkloads:
    cached = [
        Informer(cluster, kind, (), lambda _: None) for kind in (api.JOBS, api.PODS, api.SERVICES)
    ]
    return KubernetesWorkloads(
        cluster, WorkloadReader(cluster, *cached), LateAnswers(cluster), STORE
    )


@pytest.mark.apiserver
@pytest.mark.parametrize(
    ("patch", "told"),
    [
        (HALVED, "spec.completions is 1, not 2; spec.parallelism is 1, not 2"),
        (UNLABELLED, "spec.template.metadata.labels.lccp.io/run is absent, not tiny"),
    ],
    ids=["halved", "without labels"],
)
def test_a_job_that_a_webhook_changes_is_not_kept_and_is_told(
    namespace: Namespace,
    run: LCCPRun,
    workloads: KubernetesWorkloads,
    webhook: Webhook,
    patch: list[dict[str, Any]],
    told: str,
) -> None:
    webhook.patch = patch
    for _ in range(3):
        workloads.apply(run, GANG, PINNED)
        trouble = workloads.rejected[GANG]
        assert trouble.reason is Reason.POD_REJECTED
        assert told in trouble.message
        assert namespace.jobs() == []
    assert webhook.seen == [False, True, True]

    webhook.patch = []
    workloads.apply(run, GANG, PINNED)
    assert workloads.rejected == {}
    (job,) = namespace.jobs()
    assert job["spec"]["completions"] == 2


@pytest.mark.apiserver
def test_what_a_webhook_adds_is_accepted(
    namespace: Namespace, run: LCCPRun, workloads: KubernetesWorkloads, webhook: Webhook
) -> None:
    webhook.patch = [
        {"op": "add", "path": f"{TEMPLATE}/team", "value": "blue"},
        {"op": "add", "path": "/spec/suspend", "value": True},
    ]

    workloads.apply(run, GANG, PINNED)

    assert workloads.rejected == {}
    assert len(namespace.jobs()) == 1
    assert webhook.seen == [False]


@pytest.mark.apiserver
def test_what_the_api_server_itself_fills_in_is_no_change(
    namespace: Namespace, workloads: KubernetesWorkloads
) -> None:
    run = LCCPRun.parse(namespace.create_run(run_document("rich", **RICH)), "rich")
    workloads.apply(run, GANG, PINNED)

    assert workloads.rejected == {}
    (job,) = namespace.jobs()
    assert changed_since(job) == []
    job["spec"]["completions"] = 1
    assert changed_since(job) == ["spec.completions is 1, not 2"]
