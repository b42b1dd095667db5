"""What a Job has become is compared with what was asked of it, whoever changed it."""

from copy import deepcopy
from typing import Any

import pytest
from a_workload import RICH, a_run, built

from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.asked import annotation, changed, changed_since
from lccp_operator.workloads.training import Training

GANG = Training(1)
GPUS = "nvidia.com/gpu"


def asked_job() -> Object:
    return deepcopy(built(GANG, a_run(**RICH))[1])


def recorded() -> Object:
    job = asked_job()
    job["metadata"]["annotations"] = annotation(job)
    return job


def pods_of(job: Object) -> Any:
    return job["spec"]["template"]["spec"]


def trainer_of(job: Object) -> Any:
    return pods_of(job)["containers"][0]


@pytest.mark.parametrize(
    ("asked", "made", "accepted"),
    [
        ("localhost/trainer:1", "localhost/trainer:1", True),
        ("localhost/trainer:1", "mirror.example.org:5000/cache/trainer:1", True),
        ("localhost/trainer:1", "localhost/trainer:1@sha256:aa", True),
        ("localhost/trainer:1", "localhost/trainer@sha256:aa", True),
        ("localhost/trainer@sha256:aa", "mirror.example.org/trainer:1@sha256:aa", True),
        ("localhost/trainer@sha256:aa", "localhost/trainer@sha256:bb", False),
        ("localhost/trainer@sha256:aa", "localhost/trainer", False),
        ("localhost/trainer:1", "localhost/trainer:2", False),
        ("localhost/trainer:1", "localhost/trainer:2@sha256:aa", False),
        ("localhost/trainer:1", "localhost/trainer", False),
        ("localhost/trainer:1", "localhost/other:1", False),
        ("localhost/trainer:1", "localhost/other@sha256:aa", False),
    ],
)
def test_the_image_of_a_mirror_or_by_its_digest_is_accepted_and_no_other_one(
    asked: str, made: str, accepted: bool
) -> None:
    jobs = [asked_job() for _ in range(2)]
    for job, image in zip(jobs, (asked, made), strict=True):
        trainer_of(job)["image"] = image

    assert (changed(*jobs) == []) == accepted


@pytest.mark.parametrize("command", [["sleep"], None])
def test_another_command_is_told(command: list[str] | None) -> None:
    made = asked_job()
    trainer_of(made)["command"] = command

    (told,) = changed(asked_job(), made)

    assert told.startswith("spec.template.spec.containers[trainer].command is ")


def halve(job: Object) -> None:
    job["spec"] |= {"completions": 1, "parallelism": 1}


def take_gpus(job: Object) -> None:
    trainer_of(job)["resources"]["limits"][GPUS] = "2"


def take_volume(job: Object) -> None:
    pods_of(job)["volumes"] = [v for v in pods_of(job)["volumes"] if v["name"] != "shm"]


def take_mount(job: Object) -> None:
    mounts = trainer_of(job)["volumeMounts"]
    trainer_of(job)["volumeMounts"] = [m for m in mounts if m["name"] != "shm"]


def mislead(job: Object) -> None:
    (told,) = (one for one in trainer_of(job)["env"] if one["name"] == "LCCP_RUN")
    told["value"] = "default/another"


def move(job: Object) -> None:
    pods_of(job)["nodeSelector"] = {"pool": "cpu"}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (halve, "spec.completions is 1, not 2"),
        (take_gpus, f"containers[trainer].resources.limits.{GPUS} is 2, not 4"),
        (take_volume, "spec.template.spec.volumes[shm] is absent, not emptyDir"),
        (take_mount, "containers[trainer].volumeMounts[/dev/shm] is absent, not shm"),
        (mislead, "containers[trainer].env[LCCP_RUN] is default/another, not default/tiny"),
        (move, "spec.template.spec.nodeSelector.pool is cpu, not gpu"),
    ],
)
def test_what_a_job_records_shows_later_what_it_lacks(change: Any, told: str) -> None:
    made = recorded()
    assert changed_since(made) == []
    change(made)

    (found,) = changed_since(made)

    assert found.endswith(told)


def test_what_the_api_server_leaves_out_since_it_is_empty_is_accepted() -> None:
    asked, made = asked_job(), asked_job()
    trainer_of(asked)["env"] = [{"name": "LCCP_CACHE", "value": ""}]
    trainer_of(made)["env"] = [{"name": "LCCP_CACHE"}]
    trainer_of(asked)["args"] = []
    assert changed(asked, made) == []

    trainer_of(made)["env"] = [{"name": "LCCP_CACHE", "value": "/elsewhere"}]
    (told,) = changed(asked, made)
    assert "env[LCCP_CACHE] is /elsewhere, not" in told


def test_what_is_held_back_by_hand_is_not_taken_for_a_webhooks_change() -> None:
    made = recorded()
    made["spec"]["parallelism"] = 0

    assert changed_since(made) == []
    assert changed(recorded(), made) == ["spec.parallelism is 0, not 2"]


def test_what_queues_meshes_and_the_api_server_add_is_accepted() -> None:
    made = recorded()
    made["spec"] |= {"suspend": True, "selector": {"matchLabels": {"a": "b"}}}
    made["spec"]["template"]["metadata"]["labels"]["kueue.x-k8s.io/podset"] = "main"
    pods = pods_of(made)
    pods["nodeSelector"]["cloud.example.org/flavor"] = "a"
    pods["tolerations"] = [*pods["tolerations"], {"key": "spot", "operator": "Exists"}]
    pods["volumes"] = [*pods["volumes"], {"name": "proxy", "emptyDir": {}}]
    pods["initContainers"] = [{"name": "proxy-init", "image": "proxy:1", "restartPolicy": "Always"}]
    trainer = trainer_of(made)
    trainer["env"] = [*trainer["env"], {"name": "PROXY", "value": "1"}]
    trainer["resources"]["limits"] |= {GPUS: "4000m", "memory": "65536Mi"}
    pods["containers"] = [{"name": "proxy", "image": "proxy:1"}, *pods["containers"]]

    assert changed_since(made) == []


def test_the_program_of_an_external_suite_is_compared_too() -> None:
    job = asked_job()
    pods_of(job)["initContainers"] = [{"name": "exam", "image": "exam:1", "command": ["exam"]}]
    made = deepcopy(job)
    pods_of(made)["initContainers"][0]["image"] = "exam:2"

    (told,) = changed(job, made)

    assert told == "spec.template.spec.initContainers[exam].image is exam:2, not exam:1"


@pytest.mark.parametrize(
    "annotations",
    [{}, *({"lccp.io/requested": text} for text in ("not JSON", "[]", "[" * 100_000))],
    ids=["no record", "no JSON", "a list", "too deep"],
)
def test_a_job_that_does_not_record_what_was_asked_is_taken_as_it_is(
    annotations: dict[str, str],
) -> None:
    made = recorded()
    halve(made)
    made["metadata"]["annotations"] = annotations

    assert changed_since(made) == []


def test_of_a_template_with_empty_fields_or_another_amount_the_rest_is_recorded() -> None:
    """Empty fields of a chart's template are null; the API server decides on the amount."""
    job = asked_job()
    empty = dict.fromkeys(("env", "volumeMounts", "resources"))
    pods_of(job)["containers"] += [{"name": "proxy", "image": "proxy:1"} | empty]
    pods_of(job)["initContainers"] = None
    trainer_of(job)["resources"]["limits"][GPUS] = "some"

    made = deepcopy(job)
    made["metadata"]["annotations"] = annotation(job)
    assert changed_since(made) == []
    trainer_of(made)["resources"]["limits"][GPUS] = "4"
    assert len(changed_since(made)) == 1


def test_a_pod_with_a_jobs_annotation_is_taken_as_it_is() -> None:
    """A run's template may give it to its pods, whose informer reads those of all runs."""
    made = recorded()
    pod = {"metadata": made["metadata"], "spec": pods_of(made)}

    assert changed_since(pod) == []


def test_a_record_edited_by_hand_is_compared_as_it_is() -> None:
    made = recorded()
    path = "spec.template.spec.containers[trainer].image"
    made["metadata"]["annotations"] = {"lccp.io/requested": f'{{"{path}": 5}}'}

    assert changed_since(made) == [f"{path} is localhost/trainer:1, not 5"]
