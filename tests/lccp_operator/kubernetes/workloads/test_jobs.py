"""Objects built for a run's workloads: the API server accepts them, strictly and twice."""

import re
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from a_workload import RICH, WORKLOADS, a_run, built, environ, gang

from lccp.api.labels import RUN_NAME_LENGTH_MAX, STANDARD
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api import Cluster
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.jobs import selects, service_name
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.training import Training


@pytest.mark.apiserver
@pytest.mark.parametrize("spec", [{}, RICH], ids=["plain", "rich"])
def test_the_api_server_takes_every_workload_and_applying_it_again_changes_nothing(
    cluster: Cluster, tmp_path: Path, spec: dict[str, Any]
) -> None:
    namespace = Namespace.create(cluster, tmp_path)
    run = a_run(**spec)
    made = [built(workload, run) for workload in WORKLOADS]
    kinds = [(api.SERVICES, service) for service, _ in made if service]
    kinds += [(api.JOBS, job) for _, job in made]
    for kind, document in kinds:
        document["metadata"]["namespace"] = namespace.name
        strict = f"{kind.path(namespace.name)}?fieldValidation=Strict&dryRun=All"
        cluster.call("POST", strict, document)

        first = cluster.apply(kind, document)
        again = cluster.apply(kind, document)

        assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert [m["manager"] for m in first["metadata"]["managedFields"]] == ["lccp-operator"]


def test_the_gang_meets_by_name_and_fails_as_a_whole() -> None:
    service, job = built(Training(1), a_run(**RICH))
    assert service is not None
    spec = job["spec"]

    assert (spec["completions"], spec["parallelism"]) == (2, 2)
    assert (spec["backoffLimit"], spec["podReplacementPolicy"]) == (0, "Failed")
    assert {rule["action"] for rule in spec["podFailurePolicy"]["rules"]} == {"FailJob"}
    assert environ(job)["LCCP_RENDEZVOUS"] == "tiny-train-a1-0.tiny-train-a1:29400"
    assert spec["template"]["spec"]["subdomain"] == service["metadata"]["name"]
    assert service["spec"]["publishNotReadyAddresses"]
    labels = spec["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()


def test_a_service_has_its_jobs_name_or_one_that_begins_with_a_letter() -> None:
    assert service_name("tiny-train-a1") == "tiny-train-a1"

    longest = f"1{'x' * (RUN_NAME_LENGTH_MAX - 1)}-train-a9999"
    assert re.fullmatch(r"s[0-9a-f]{6}-1x{39}-train-a9999", service_name(longest))
    assert len(service_name(longest)) <= 63
    assert service_name("1num-train-a1") != service_name("2num-train-a1")


def a_service(selector: dict[str, str]) -> Object:
    return {"spec": {"selector": selector}}


def a_job(told: dict[str, str]) -> Object:
    return {"metadata": {"labels": told}}


def test_which_service_selects_the_pods_of_a_job() -> None:
    service, job = built(Training(1), a_run(**RICH))
    assert service is not None
    asked, told = service["spec"]["selector"], job["metadata"]["labels"]
    assert selects(service, Training(1), job)

    assert not selects(a_service({}), Training(1), job)
    for label in asked:
        without = {name: value for name, value in asked.items() if name != label}
        assert not selects(a_service(without), Training(1), job)
        assert not selects(a_service(asked | {label: "another"}), Training(1), job)
    assert not selects(a_service(asked | {"team": "blue"}), Training(1), a_job(told))


@pytest.mark.parametrize("label", sorted(STANDARD))
def test_a_gang_of_another_version_or_with_an_edited_job_keeps_its_service(label: str) -> None:
    service, job = built(Training(1), a_run(**RICH))
    assert service is not None
    asked, told = service["spec"]["selector"], job["metadata"]["labels"]
    without, fewer = ({n: v for n, v in of.items() if n != label} for of in (asked, told))

    assert selects(service, Training(1), a_job(fewer))
    assert selects(service, Training(1), a_job(told | {label: "another"}))
    assert selects(a_service(without), Training(1), a_job(fewer))
    others = {label: "another"}
    assert selects(a_service(asked | others), Training(1), a_job(told | others))


def test_a_gang_of_one_pod_needs_no_name_to_meet_by() -> None:
    service, job = built(Training(1))

    assert service is None
    assert "LCCP_RENDEZVOUS" not in environ(job)
    assert "subdomain" not in job["spec"]["template"]["spec"]


def test_a_queue_is_named_by_label_and_suspend_is_left_to_it() -> None:
    job = gang(**RICH)

    assert "suspend" not in job["spec"]
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "research"
    assert job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"] == "urgent"
    assert job["spec"]["template"]["spec"]["priorityClassName"] == "high"
    assert "kueue.x-k8s.io/queue-name" not in gang()["metadata"]["labels"]


def test_a_queue_goes_by_the_pods_priority_unless_another_is_named() -> None:
    job = gang(topology={"queueName": "research", "priorityClassName": "high"})

    assert "kueue.x-k8s.io/priority-class" not in job["metadata"]["labels"]


def test_an_evaluator_has_a_deadline_and_a_lower_priority() -> None:
    _, job = built(Evaluation(8_192, number=2))

    assert job["metadata"]["name"] == "tiny-eval-intrinsic-000000000008192"
    assert job["spec"]["activeDeadlineSeconds"] > 0
    assert job["spec"]["template"]["spec"]["priorityClassName"] == "low"
    assert (environ(job)["LCCP_TOKENS"], environ(job)["LCCP_ATTEMPT"]) == ("8192", "2")
