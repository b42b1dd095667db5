"""Pods are hardened, and get their orders from environment variables."""

import json
from typing import Any

import pytest
from a_workload import (
    RICH,
    STORE,
    WORKLOADS,
    a_run,
    built,
    container,
    environ,
    external,
    gang,
)

from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.labels import ANNEAL
from lccp.contract.errors import InvalidInput
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.training import Training

EVALUATE = "lccp-evaluate"


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: type(w).__name__)
def test_pods_of_every_kind_meet_the_restricted_standard(workload: Workload) -> None:
    _, job = built(workload)
    pod = job["spec"]["template"]["spec"]
    security = container(job)["securityContext"]

    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert pod["serviceAccountName"] == "lccp-run"
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    assert not security["allowPrivilegeEscalation"]
    assert security["readOnlyRootFilesystem"]
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_scratch_is_as_large_as_the_limit_on_local_storage() -> None:
    def scratch(**limits: str) -> Any:
        job = gang(topology={"resources": {"limits": limits}})
        return job["spec"]["template"]["spec"]["volumes"][0]["emptyDir"]

    assert scratch() == {}
    assert scratch(**{"ephemeral-storage": "600Gi"}) == {"sizeLimit": "600Gi"}


def test_the_users_template_is_merged_over_the_pods() -> None:
    job = gang(**RICH)
    pod = job["spec"]["template"]["spec"]

    assert pod["schedulerName"] == "volcano"
    assert job["spec"]["template"]["metadata"]["annotations"] == {"example.org/mine": "yes"}
    assert {v["name"] for v in pod["volumes"]} == {"scratch", "shm", "store-credentials", "corpus"}
    capabilities = container(job)["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": ["IPC_LOCK"]}
    assert container(job)["resources"]["limits"] == {"memory": "64Gi", "nvidia.com/gpu": "4"}


FORMLESS: dict[str, Any] = {
    "nodeSelector": {"nodeSelector": ["gpu"]},
    "containers[proxy].resources": {"containers": [{"name": "proxy", "resources": "all"}]},
    "containers[proxy].resources.limits": {
        "containers": [{"name": "proxy", "resources": {"limits": [1]}}]
    },
    "containers": {"containers": [{"image": "proxy:1"}]},
    "initContainers": {"initContainers": ["proxy"]},
    "volumes": {"volumes": {"corpus": {}}},
    "containers[trainer].env": {"containers": [{"name": "trainer", "env": [{"value": "1"}]}]},
    "containers[proxy].volumeMounts": {
        "initContainers": [{"name": "proxy", "volumeMounts": [{"name": "a"}]}]
    },
    "securityContext": {"securityContext": "restricted"},
    "affinity": {"affinity": []},
    "imagePullSecrets": {"imagePullSecrets": ["registry"]},
    "hostAliases": {"hostAliases": [{"ip": {}}]},
    "volumes ": {"volumes": [{"name": ["corpus"]}]},
    "containers ": {"containers": [{"name": 7}]},
    "containers[trainer].env ": {"containers": [{"name": "trainer", "env": [{"name": 1}]}]},
    "containers[trainer].env[AWS_A_FILE].value": {
        "containers": [{"name": "trainer", "env": [{"name": "AWS_A_FILE", "value": 1}]}]
    },
    "containers[trainer].ports": {
        "containers": [{"name": "trainer", "ports": [{"containerPort": "http"}]}]
    },
    "containers[trainer].volumeMounts ": {
        "containers": [{"name": "trainer", "volumeMounts": [{"mountPath": True}]}]
    },
    "containers[trainer].volumeMounts[/a].name": {
        "containers": [{"name": "trainer", "volumeMounts": [{"mountPath": "/a", "name": []}]}]
    },
    "containers[trainer].securityContext": {
        "containers": [{"name": "trainer", "securityContext": 1}]
    },
}


@pytest.mark.parametrize("workload", [Training(1), Purge()])
@pytest.mark.parametrize(("where", "template"), FORMLESS.items())
def test_a_template_that_is_none_of_a_pod_is_refused_in_a_sentence(
    where: str, template: Any, workload: Workload
) -> None:
    run = a_run(topology={"podTemplate": {"spec": template}})

    with pytest.raises(InvalidInput) as refused:
        built(workload, run, StoreConfig(url="file:///shared/runs"))

    field = "topology.podTemplate" if workload == Purge() else "podTemplate"
    assert str(refused.value).startswith(f"{field}.spec.{where.strip()} must be a ")


@pytest.mark.parametrize("field", ["hostname", "subdomain"])
def test_a_template_does_not_rename_the_pods_of_a_gang(field: str) -> None:
    template = {"podTemplate": {"spec": {field: "mine"}}}

    with pytest.raises(InvalidInput, match=rf"podTemplate\.spec\.{field} must be left out where"):
        built(Training(1), a_run(topology=template | {"nodes": 2}))
    _, alone = built(Training(1), a_run(topology=template | {"nodes": 1}))
    assert alone["spec"]["template"]["spec"][field] == "mine"


def test_what_kueue_reads_of_pods_passes_through_the_template() -> None:
    wanted = {"kueue.x-k8s.io/podset-required-topology": "cloud.provider.com/rack"}
    job = gang(topology={"podTemplate": {"metadata": {"annotations": wanted}}})

    assert job["spec"]["template"]["metadata"]["annotations"] == wanted


def test_a_branchs_gang_is_told_where_it_begins_and_yields_to_the_runs() -> None:
    _, own = built(Training(1))
    _, job = built(Training(2, 8_192))

    assert "LCCP_BRANCH" not in environ(own)
    assert environ(job)["LCCP_BRANCH"] == "8192"
    assert job["metadata"]["labels"]["lccp.io/branch"] == "000000000008192"
    evaluator = built(Evaluation(8_192, ANNEAL))[1]
    assert environ(evaluator)["LCCP_SUITE"] == "anneal"
    classes = [one["spec"]["template"]["spec"].get("priorityClassName") for one in (job, evaluator)]
    assert classes[0] == classes[1]


def test_a_nodes_metadata_service_is_named_to_every_workload() -> None:
    store = STORE.model_copy(update={"instance_metadata": "http://169.254.169.254"})
    for workload in WORKLOADS:
        _, job = built(workload, store=store)
        assert '"instanceMetadata":"http://169.254.169.254"' in environ(job)["LCCP_STORE"]


def test_credentials_reach_pods_as_a_mounted_secret_alone() -> None:
    job = gang()
    (mount,) = [m for m in container(job)["volumeMounts"] if m["name"] == "store-credentials"]

    assert mount["readOnly"]
    assert f'"credentialsDirectory":"{mount["mountPath"]}"' in environ(job)["LCCP_STORE"]


def test_every_workload_trusts_the_stores_ca() -> None:
    store = STORE.model_copy(update={"ca_bundle": "-----BEGIN CERTIFICATE-----\n"})
    for workload in WORKLOADS:
        _, job = built(workload, store=store)
        variables = {name: v for name, v in environ(job).items() if isinstance(v, str)}
        assert Invocation.from_environ(variables).store.ca_bundle == store.ca_bundle


def test_an_external_suite_is_fetched_run_and_reported_one_after_another() -> None:
    job = external()
    fetch, suite = job["spec"]["template"]["spec"]["initContainers"]
    last = container(job)

    assert (fetch["image"], fetch["command"]) == ("localhost/evaluator:1", [EVALUATE, "fetch"])
    assert (suite["image"], suite["command"]) == ("mine:1", ["./mine"])
    assert (last["image"], last["command"]) == ("localhost/evaluator:1", [EVALUATE, "report"])
    assert fetch["env"] == suite["env"] == last["env"]
    told = environ(job)
    assert told["SHOTS"] == "5"
    assert told["LCCP_CHECKPOINT"] == "/scratch/checkpoint"
    texts = {name: value for name, value in told.items() if isinstance(value, str)}
    assert Invocation.from_environ(texts).suite == "mine"


def test_references_in_a_suites_command_are_the_kubelets_to_replace_there_alone() -> None:
    job = external("./mine", "$(LCCP_CHECKPOINT)", "$$HOME")
    _, suite = job["spec"]["template"]["spec"]["initContainers"]

    assert suite["command"] == ["./mine", "$(LCCP_CHECKPOINT)", "$$HOME"]
    told = environ(job)["LCCP_EXTERNAL_SUITE"]
    assert "$$(LCCP_CHECKPOINT)" in told
    assert json.loads(told.replace("$$", "$"))["command"] == suite["command"]


def test_the_program_of_an_external_suite_sees_no_credentials_and_is_hardened() -> None:
    job = external()
    fetch, suite = job["spec"]["template"]["spec"]["initContainers"]
    mounted = {mount["name"] for mount in suite["volumeMounts"]}

    assert mounted == {"scratch", "shm"}
    assert {mount["name"] for mount in fetch["volumeMounts"]} == {*mounted, "store-credentials"}
    assert suite["securityContext"] == container(job)["securityContext"]
    assert "initContainers" not in gang()["spec"]["template"]["spec"]
