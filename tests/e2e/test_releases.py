"""Releases side by side on a real cluster: each has its namespaces, a leader, and upgrades.

The operators are pods as the chart installs them, with a Role in their namespaces and no more; the
runs are made of stubs.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from audit import Audit
from helm import RELEASE, VERSION, Helm
from kubectl import kubectl
from operator_process import wait_for
from operator_world import EVERY_TOKENS
from outcome import Outcome, ended
from release import Release, released, stub_values
from stub_cluster import StubCluster
from watched import WatchedJobs, watched_jobs

from lccp.api import labels
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

LENGTH = 3
CHECKPOINTS = [EVERY_TOKENS * n for n in range(1, LENGTH + 1)]
TAKEN_OVER_WITHIN_SECONDS = 20.0
BEGUN_SECONDS, END_SECONDS = 120.0, 240.0
TRAINING = "tiny-train-a1"
REPOSITORY, NEXT_VERSION = "lccp-operator", "next"
IMAGE = f"localhost/{REPOSITORY}"
FIELD = "fieldOfNextVersion"
NEWER = {"run.json", "journal.json", "manifest.json", "heartbeat.json", "report.json"}
"""What a next version wrote for a run: its operator, its trainer, and its evaluator."""


@dataclass(frozen=True)
class Installed:
    """A release, and the namespaces whose runs are its own."""

    release: Release
    stubs: StubCluster
    namespaces: list[Namespace]

    def apply(self, *options: str, **values: Any) -> None:
        names = [namespace.name for namespace in self.namespaces]
        self.release.apply(stub_values(self.stubs, names, **values), *options)

    def start(self, namespace: Namespace, *trainer: str, evaluator: tuple[str, ...] = ()) -> None:
        """A run of stubs, in the images of the installation."""
        document = self.stubs.document(namespace, *trainer, evaluator=evaluator, length=LENGTH)
        spec = document["spec"]
        for pods in (spec["topology"], spec["evaluation"]["workload"]):
            del pods["podTemplate"]["spec"]["containers"][0]["image"]
        namespace.create_run(document)

    def audit(self) -> Audit:
        return Audit.read(RELEASE, self.release.namespace)


def tagged(tag: str) -> Object:
    """Values by which the operator, and the pods of runs, have this tag."""
    one = {"repository": REPOSITORY, "tag": tag}
    return {"operator": one, "trainer": one, "evaluator": one}


@pytest.fixture(scope="module")
def watched(kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedJobs]:
    with watched_jobs(tmp_path_factory.mktemp("watched")) as made:
        yield made


@pytest.fixture(scope="module")
def nobodys(stubs: StubCluster) -> Iterator[Namespace]:
    """A namespace of no release, with a run from the beginning."""
    made = stubs.namespace()
    made.create_run(stubs.document(made))
    yield made
    kubectl("delete", "namespace", made.name, "--wait=false")


@pytest.fixture(scope="module")
def both(
    helm: Helm,
    kubeconfig: Path,
    stubs: StubCluster,
    watched: WatchedJobs,
    nobodys: Namespace,
    operator_image: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Installed, Installed]]:
    """The first release, with the CRD, and the second, without."""
    folder = tmp_path_factory.mktemp("releases")
    with ExitStack() as stack:
        first, second = (
            Installed(
                stack.enter_context(released(helm, kubeconfig, name, folder)),
                stubs,
                [stubs.namespace() for _ in range(count)],
            )
            for name, count in (("lccp-first", 4), ("lccp-second", 3))
        )
        names = [n.name for one in (first, second) for n in one.namespaces]
        stack.callback(kubectl, "delete", "namespace", *names, "--wait=false")
        with_crd = {"crds": {"enabled": True}, "image": tagged(VERSION)}
        first.apply("--take-ownership", "--force-conflicts", **with_crd)
        second.apply(image=tagged(VERSION))
        yield first, second


@pytest.fixture
def first(both: tuple[Installed, Installed]) -> Installed:
    return both[0]


@pytest.fixture
def second(both: tuple[Installed, Installed]) -> Installed:
    return both[1]


def test_a_standby_takes_over_and_every_run_ends_right(
    first: Installed, stubs: StubCluster, watched: WatchedJobs
) -> None:
    release, (*early, late) = first.release, first.namespaces
    for namespace in early:
        first.start(namespace)
    done = [stubs.done(namespace) for namespace in early]
    wait_for(lambda: any(path.exists() for path in done), "no evaluation", seconds=BEGUN_SECONDS)
    leader, holder = release.leader(), release.holder()
    (standby,) = set(release.operators()) - {leader}

    release.kill(leader)
    first.start(late)

    seconds = TAKEN_OVER_WITHIN_SECONDS
    wait_for(lambda: release.holder() not in ("", holder), "nobody took over", seconds=seconds)
    for namespace in first.namespaces:
        wait_for(lambda n=namespace: ended(n), f"{namespace.name} goes on", seconds=END_SECONDS)
    ends = [Outcome.of(stubs, namespace) for namespace in first.namespaces]
    assert (ends[0].attempts, ends[0].evaluated) == (["Completed"], CHECKPOINTS)
    assert (ends[0].tries, ends[0].jobs) == ([1] * LENGTH, {TRAINING})
    assert [end.differences(ends[0]) for end in ends] == [{}] * len(ends)
    assert [watched.repeated(namespace.name) for namespace in first.namespaces] == [[]] * len(ends)
    assert restarts(release) == {leader: 1, standby: 0}


def restarts(release: Release) -> dict[str, int]:
    return {
        name: pod["status"]["containerStatuses"][0]["restartCount"]
        for name, pod in release.operators().items()
    }


def test_a_run_ends_with_what_it_began_with_though_the_release_is_upgraded(
    second: Installed, stubs: StubCluster, watched: WatchedJobs
) -> None:
    begun, fresh, _ = second.namespaces
    second.start(begun, *stubs.waiting(begun, EVERY_TOKENS))
    done = stubs.done(begun)
    wait_for(done.exists, "no evaluation", seconds=BEGUN_SECONDS)
    trainer, operators = trainers(begun), set(second.release.operators())

    image = tagged(NEXT_VERSION) | {"pullPolicy": "Never"}
    second.apply(image=image, runs={"serviceAccountName": "lccp-run"})
    wait_for(lambda: operators.isdisjoint(second.release.operators()), "its old operators stay")
    stubs.go_on(begun)

    wait_for(lambda: ended(begun), "the run goes on", seconds=END_SECONDS)
    end = Outcome.of(stubs, begun)
    assert (end.attempts, end.evaluated) == (["Completed"], CHECKPOINTS)
    assert trainers(begun) == trainer
    jobs = watched.of(begun.name).values()
    made = {substance(job) for job in jobs if component(job) == labels.EVALUATOR}
    assert len(made) == 1, made
    assert f'"image": "{IMAGE}:{VERSION}"' in made.pop()

    second.start(fresh)
    template = fresh.wait_job(TRAINING)["spec"]["template"]["spec"]
    assert template["serviceAccountName"] == "lccp-run"
    assert template["containers"][0]["image"] == f"{IMAGE}:{NEXT_VERSION}"
    assert template["containers"][0]["imagePullPolicy"] == "Never"


def test_a_run_goes_on_though_the_release_is_rolled_back(
    second: Installed, stubs: StubCluster
) -> None:
    *_, begun = second.namespaces
    second.apply(image=tagged(NEXT_VERSION))
    newer = ("--field", FIELD)
    second.start(begun, *stubs.waiting(begun, EVERY_TOKENS), *newer, evaluator=newer)
    done = stubs.done(begun)
    wait_for(done.exists, "no evaluation", seconds=BEGUN_SECONDS)
    wait_for(lambda: newer_objects(stubs, begun) >= NEWER, "not all of it has the new field")
    trainer, operators = trainers(begun), set(second.release.operators())

    second.apply(image=tagged(VERSION))
    wait_for(lambda: operators.isdisjoint(second.release.operators()), "its operators stay")
    stubs.go_on(begun)

    wait_for(lambda: ended(begun), "the run goes on", seconds=END_SECONDS)
    end = Outcome.of(stubs, begun)
    assert (end.attempts, end.evaluated) == (["Completed"], CHECKPOINTS)
    assert trainers(begun) == trainer
    (job,) = begun.jobs()
    image = job["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image == f"{IMAGE}:{NEXT_VERSION}"


def newer_objects(stubs: StubCluster, namespace: Namespace) -> set[str]:
    """Names of the stored objects of the run that have the next version's field."""
    folder = stubs.root / namespace.keys("tiny").prefix
    return {path.name for path in folder.rglob("*.json") if f'"{FIELD}"' in path.read_text()}


def trainers(namespace: Namespace) -> dict[str, int]:
    """UIDs of the trainer's pods, with how often each was restarted."""
    selector = f"{labels.COMPONENT}={labels.TRAINER}"
    pods = namespace.api.list(api.PODS, namespace.name, labelSelector=selector)
    return {
        pod["metadata"]["uid"]: pod["status"]["containerStatuses"][0]["restartCount"]
        for pod in pods
    }


def component(job: Object) -> str:
    return str(job["metadata"]["labels"][labels.COMPONENT])


def substance(job: Object) -> str:
    """The spec of the Job's pods but for the checkpoint that they are to evaluate."""
    spec: Object = json.loads(json.dumps(job["spec"]["template"]["spec"]))
    for container in spec["containers"]:
        container["env"] = [e for e in container["env"] if e["name"] != "LCCP_TOKENS"]
    return json.dumps(spec, sort_keys=True)


def test_each_release_keeps_to_its_namespaces_and_its_roles(
    both: tuple[Installed, Installed], nobodys: Namespace
) -> None:
    for one in both:
        audit = one.audit()
        own = {namespace.name for namespace in one.namespaces}
        assert audit.written - {one.release.namespace} == own
        assert audit.denied == []
        assert audit.invalid == []
    assert nobodys.jobs() == []
    assert "status" not in nobodys.run("tiny")
    wide = kubectl("get", "clusterroles,clusterrolebindings", "--output=name")
    assert not [one.release.namespace for one in both if one.release.namespace in wide]
