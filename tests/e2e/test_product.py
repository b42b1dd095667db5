"""The whole product on a real cluster: Helm, two trainer pods, evaluators, a verdict that stops.

Real images, real training, a real S3 server, and the rights that the chart grants, no more.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from audit import Audit
from helm import Helm
from kubectl import kubectl
from operator_process import wait_for
from product import Product, demo, installed

from lccp.api.conditions import ConditionType

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(1_800)]

END_SECONDS = 1_500.0


@pytest.fixture(scope="module")
def product(
    kubeconfig: Path, helm: Helm, images: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    with installed(helm, kubeconfig, "lccp-product", tmp_path_factory.mktemp("product")) as made:
        yield made


@pytest.fixture(scope="module")
def ended(product: Product) -> dict[str, Any]:
    """The demo's run, applied as a user would, once it has succeeded or failed."""
    product.apply(demo())
    ends = {str(ConditionType.SUCCEEDED), str(ConditionType.FAILED)}

    def end() -> bool:
        found = product.runs.conditions("tiny")
        return any(found.get(name, {}).get("status") == "True" for name in ends)

    wait_for(end, "the run did not end", seconds=END_SECONDS)
    return product.runs.run("tiny")


def test_the_verdict_stops_the_run_and_it_succeeds(product: Product, ended: dict[str, Any]) -> None:
    status, spec = ended["status"], ended["spec"]
    found = product.runs.conditions("tiny")
    assert found["Succeeded"]["status"] == "True", found
    assert status["verdict"]["state"] == "Saturated"
    assert len(status["attempts"]) == 1
    assert int(status["progress"]["tokens"]) < int(spec["training"]["tokens"])
    states = [c.get("verdict") for c in status["checkpoints"]]
    order = [states.index(s) for s in ("Improving", "DeceptivelySaturated", "Saturated")]
    assert order == sorted(order)
    assert kubectl(
        "wait", f"--namespace={product.runs.name}", "--for=condition=Succeeded", "lccp/tiny"
    )


def test_the_trainers_met_on_two_pods_beside_evaluators(
    product: Product, ended: dict[str, Any]
) -> None:
    jobs = {job["metadata"]["name"]: job for job in product.runs.jobs()}
    assert jobs["tiny-train-a1"]["spec"]["completions"] == 2
    assert jobs["tiny-train-a1"]["status"]["succeeded"] == 2
    events = product.runs.events("tiny")
    assert "CheckpointEvaluated" in events


def test_no_pod_is_root_or_writes_to_its_image(product: Product, ended: dict[str, Any]) -> None:
    pods = [*product.pods(product.release), *product.pods(product.runs.name)]
    assert {pod["metadata"]["labels"]["app.kubernetes.io/component"] for pod in pods} >= {
        *("operator", "exporter", "trainer"),
    }
    for pod in pods:
        spec = pod["spec"]
        assert spec["securityContext"]["runAsNonRoot"]
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"]
            assert not container["securityContext"]["allowPrivilegeEscalation"]


def test_the_exporter_tells_of_the_run_through_its_service(
    product: Product, ended: dict[str, Any]
) -> None:
    wanted = f'lccp_verdict{{namespace="{product.runs.name}",run="tiny",state="Saturated"}} 1.0'
    wait_for(lambda: wanted in product.scrape("lccp-exporter"), f"no {wanted}", seconds=60)


def test_helm_test_passes(product: Product, helm: Helm, kubeconfig: Path) -> None:
    told = helm.administer(kubeconfig, "test", "lccp", "--namespace", product.release)
    assert re.search(r"Phase:\s+Succeeded", told), told


def test_a_run_of_another_model_under_this_name_is_refused(
    product: Product, ended: dict[str, Any]
) -> None:
    kubectl("delete", f"--namespace={product.runs.name}", "lccp/tiny", "--timeout=60s")
    other = demo()
    other["spec"]["model"]["ropeBase"] = 80_000
    product.apply(other)
    refused = product.runs.wait_condition("tiny", "Accepted", "False", seconds=60)
    assert "model.ropeBase is 1000000 there and 80000 here" in refused["message"]
    assert product.runs.jobs() == []


def test_a_finished_run_goes_by_itself_and_takes_its_artifacts_along(product: Product) -> None:
    kubectl("delete", f"--namespace={product.runs.name}", "lccp/tiny", "--timeout=60s")
    run = demo()
    run["spec"] |= {"deletionPolicy": "DeleteArtifacts", "ttlSecondsAfterFinished": 5}
    product.apply(run)
    kinds = "lccpruns,jobs,pods,services"

    def gone() -> bool:
        return json.loads(product.get(kinds, "--output=json"))["items"] == []

    wait_for(gone, f"{product.get(kinds)} stay", seconds=180)


NOWHERE: dict[str, dict[str, Any]] = {
    "UnknownQueue": {"queueName": "nowhere"},
    "Unschedulable": {"placement": {"nodeSelector": {"place": "nowhere"}}},
}
"""Topologies with which no pod starts, by the reason that is told."""


@pytest.mark.parametrize("reason", NOWHERE)
def test_a_gang_that_cannot_start_is_told_of_and_goes_when_it_is_suspended(
    product: Product, kueue: None, reason: str
) -> None:
    run = demo()
    run["metadata"]["name"] = name = reason.lower()
    run["spec"]["topology"] |= NOWHERE[reason]
    product.apply(run)
    product.runs.wait_condition(name, "Training", reason)

    patch = ("--type=merge", '--patch={"spec":{"suspend":true}}')
    kubectl("patch", f"--namespace={product.runs.name}", f"lccp/{name}", *patch)
    workloads = ("jobs,services", f"--selector=lccp.io/run={name}", "--output=json")
    wait_for(lambda: json.loads(product.get(*workloads))["items"] == [], "its gang stays")
    kubectl("delete", f"--namespace={product.runs.name}", f"lccp/{name}", "--timeout=60s")


def test_a_gang_beyond_the_quota_is_told_of(product: Product) -> None:
    here = f"--namespace={product.runs.name}"
    kubectl("create", "quota", "none", here, "--hard=pods=0")
    run = demo()
    run["metadata"]["name"] = "beyond"
    product.apply(run)
    product.runs.wait_condition("beyond", "Training", "QuotaExceeded")

    kubectl("delete", here, "lccp/beyond", "--timeout=60s")
    kubectl("delete", here, "quota/none", "--timeout=60s")


OF_ADMISSION = {("update", "lccp.io", "lccpruns/finalizers")}
"""Checked inside the admission of workloads, with OwnerReferencesPermissionEnforcement."""


def test_every_right_is_used_and_none_is_missing(product: Product) -> None:
    granted = kubectl("get", "clusterrole", f"{product.release}-lccp", "--output=json")
    rules = json.loads(granted)["rules"]
    end_watches(product.release)

    def unused() -> set[tuple[str, str, str]]:
        return set(Audit.read("lccp", product.release).unused(rules))

    wait_for(lambda: unused() <= OF_ADMISSION, "rights without a use")
    assert unused() == OF_ADMISSION
    assert Audit.read("lccp", product.release).denied == []


def end_watches(namespace: str) -> None:
    """End the programs of the release in `namespace`: a watch is in the log once it has ended."""
    kubectl("delete", "pods", f"--namespace={namespace}", "--all", "--timeout=120s")
