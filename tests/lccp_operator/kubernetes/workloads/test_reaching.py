"""A purge reaches the store as the run's trainers do, and takes nothing else of theirs."""

import json
from typing import Any

import pytest
from a_workload import a_run, built, container

from lccp.api.invocation import StoreConfig
from lccp_operator.workloads.purge import Purge

FOLDER = StoreConfig(url="file:///shared/runs")


def purge(store: StoreConfig | None, topology: dict[str, Any]) -> tuple[Any, Any]:
    """The pod of a purge, and its container."""
    run = a_run(topology=topology)
    _, job = built(Purge(), run, store) if store else built(Purge(), run)
    return job["spec"]["template"]["spec"], container(job)


def test_a_purge_mounts_nothing_where_the_template_has_only_empty_fields() -> None:
    template = {"volumes": None, "containers": [{"name": "trainer", "volumeMounts": None}]}
    for given in (template, {"containers": None}):
        run = a_run(topology={"podTemplate": {"spec": given}})
        _, job = built(Purge(), run, StoreConfig(url="file:///shared/runs"))
        _, elsewhere = built(Purge(), a_run())

        pods = (one["spec"]["template"]["spec"] for one in (job, elsewhere))
        assert next(pods)["volumes"] == next(pods)["volumes"]


@pytest.mark.parametrize("main", ["trainer", "importer"])
def test_a_purge_mounts_the_folder_that_is_the_store_as_the_runs_pods_do(main: str) -> None:
    store = StoreConfig(url="file:///shared%20disk/runs")
    shared = {"name": "shared", "persistentVolumeClaim": {"claimName": "runs"}}
    mounts = [
        {"name": "shared", "mountPath": "/shared disk", "subPath": "a"},
        {"name": "corpus", "mountPath": "/corpus"},
    ]
    template = {
        "securityContext": {"runAsUser": 1000},
        "nodeSelector": {"pool": "gpu"},
        "volumes": [shared, {"name": "corpus", "emptyDir": {}}],
        "containers": [
            {"name": "sidecar"},
            {
                "name": main,
                "volumeMounts": mounts,
                "securityContext": {"runAsGroup": 2000, "capabilities": {"add": ["IPC_LOCK"]}},
            },
        ],
    }
    run = a_run(topology={"podTemplate": {"spec": template}})

    _, job = built(Purge(), run, store)
    _, elsewhere = built(Purge(), run)

    pod = job["spec"]["template"]["spec"]
    assert mounts[0] in container(job)["volumeMounts"]
    assert shared in pod["volumes"]
    assert pod["securityContext"]["runAsUser"] == 1000
    assert container(job)["securityContext"]["runAsGroup"] == 2000
    assert container(job)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {v["name"] for v in pod["volumes"]} == {"scratch", "shm", "store-credentials", "shared"}
    assert len(pod["containers"]) == 1
    assert "nodeSelector" not in pod
    assert "shared" not in json.dumps(elsewhere)


@pytest.mark.parametrize("in_template", [False, True])
def test_a_purge_gets_keys_to_a_bucket_as_the_runs_trainers_do(in_template: bool) -> None:
    identity = [
        {"name": "AWS_WEB_IDENTITY_TOKEN_FILE", "value": "/var/run/tokens/sts"},
        {"name": "AWS_ENDPOINT_URL_STS", "value": "http://minio:9000"},
    ]
    token = {"serviceAccountToken": {"path": "sts", "audience": "minio"}}
    volumes = [
        {"name": "tokens", "projected": {"sources": [token]}},
        {"name": "corpus", "emptyDir": {}},
    ]
    trainer = {
        "name": "trainer",
        "env": [{"name": "HF_TOKEN", "value": "a"}, *(identity if in_template else [])],
        "volumeMounts": [
            {"name": "tokens", "mountPath": "/var/run/tokens"},
            {"name": "corpus", "mountPath": "/corpus"},
        ],
    }
    given = [] if in_template else identity
    run = a_run(
        topology={
            "env": [{"name": "NCCL_DEBUG", "value": "INFO"}, *given],
            "podTemplate": {"spec": {"volumes": volumes, "containers": [trainer]}},
        }
    )

    _, job = built(Purge(), run)

    assert [one for one in container(job)["env"] if one["name"].startswith("AWS_")] == identity
    assert not {"HF_TOKEN", "NCCL_DEBUG"} & {one["name"] for one in container(job)["env"]}
    assert trainer["volumeMounts"][0] in container(job)["volumeMounts"]
    assert volumes[0] in job["spec"]["template"]["spec"]["volumes"]
    assert "corpus" not in json.dumps(job)


@pytest.mark.parametrize("source", ["hostPath", "nfs"])
def test_a_purge_runs_where_a_folder_of_the_nodes_is(source: str) -> None:
    node, gpu = (
        {"name": "shared", source: {"path": "/shared"}},
        {"key": "gpu", "operator": "Exists"},
    )
    required = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name"}]}]}
    of_node = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    spec = {
        "volumes": [node],
        "affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}},
        "nodeSelector": {"disk": "fast"},
        "containers": [
            {"name": "trainer", "volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
        ],
    }
    placement = {"nodeSelector": {"pool": "gpu"}, "tolerations": [gpu], "affinity": of_node}

    pod, _ = purge(FOLDER, {"placement": placement, "podTemplate": {"spec": spec}})

    place = {name: pod.get(name) for name in ("nodeSelector", "tolerations", "affinity")}
    if source == "hostPath":
        assert place["nodeSelector"] == {"pool": "gpu", "disk": "fast"}
        assert (place["tolerations"], place["affinity"]) == ([gpu], of_node)
    else:
        assert set(place.values()) == {None}


def test_a_purge_mounts_what_lies_below_the_folder_too() -> None:
    mount = {"name": "team", "mountPath": "/shared/runs/team"}
    volume = {"name": "team", "nfs": {"server": "a", "path": "/"}}
    trainer = {"name": "trainer", "volumeMounts": [mount]}

    pod, main = purge(
        FOLDER, {"podTemplate": {"spec": {"volumes": [volume], "containers": [trainer]}}}
    )

    assert volume in pod["volumes"]
    assert mount in main["volumeMounts"]


def test_a_purge_has_the_account_network_and_keys_of_the_trainers() -> None:
    keys = [{"secretRef": {"name": "keys"}}]
    spec = {
        "serviceAccountName": "bucket-writer",
        "automountServiceAccountToken": True,
        "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["s3.local"]}],
        "nodeSelector": {"pool": "gpu"},
        "containers": [{"name": "trainer", "envFrom": keys}],
    }

    pod, main = purge(None, {"podTemplate": {"spec": spec}})

    assert pod["serviceAccountName"] == "bucket-writer"
    assert pod["automountServiceAccountToken"] is True
    assert pod["hostAliases"] == spec["hostAliases"]
    assert main["envFrom"] == keys
    assert "nodeSelector" not in pod
