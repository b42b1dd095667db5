"""The operator's process on a real API server: tests do the Job controller's part."""

from datetime import datetime
from typing import Any

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from operator_process import OperatorProcess, wait_for
from operator_world import EVERY_TOKENS

from lccp.api.causes import Cause
from lccp.api.exits import ExitCode
from lccp.api.labels import FETCH, INTRINSIC, SUITE
from lccp.api.objects.training import Ledger
from lccp.store.directory import delete_prefix
from lccp_operator.kubernetes import api

pytestmark = [pytest.mark.apiserver, pytest.mark.usefixtures("operator")]

FIRST, SECOND = EVERY_TOKENS, 2 * EVERY_TOKENS
TRAINING, PURGE = "tiny-train-a1", "tiny-purge"


def evaluation(tokens: int, suite: str = INTRINSIC) -> str:
    return f"tiny-eval-{suite}-{tokens:015d}"


def a_started_run(namespace: Namespace, jobs: JobPlayer, **spec: Any) -> None:
    namespace.create_run(run_document("tiny", **spec))
    jobs.start(TRAINING)
    namespace.wait_condition("tiny", "Training", "True")


def deleted_at(namespace: Namespace) -> datetime | None:
    """When the run's journal says that it was deleted."""
    owner = namespace.journal("tiny").accepted
    assert owner is not None
    return owner.deleted_at


def is_gone(namespace: Namespace) -> bool:
    return not namespace.api.list(api.RUNS, namespace.name)


def test_a_run_is_trained_evaluated_and_succeeds(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess
) -> None:
    a_started_run(namespace, jobs)
    namespace.save("tiny", 1, FIRST)
    namespace.save("tiny", 1, SECOND)
    namespace.end("tiny", 1, SECOND, Cause.COMPLETED, ledger=Ledger(productive=0.01))
    jobs.end(TRAINING)
    for tokens in (FIRST, SECOND):
        jobs.start(evaluation(tokens))
        namespace.report("tiny", tokens)
        jobs.end(evaluation(tokens))
        jobs.let_go(evaluation(tokens))

    namespace.wait_condition("tiny", "Succeeded", "True")
    status = namespace.run("tiny")["status"]
    assert status["summary"] == "Succeeded"
    assert [c["evaluation"] for c in status["checkpoints"]] == ["Succeeded", "Succeeded"]
    wait_for(lambda: "Succeeded" in namespace.events("tiny"), "the last event is not posted")
    told = namespace.events("tiny")
    assert {"Accepted", "AttemptStarted", "AttemptEnded", "Succeeded"} <= {*told}
    assert told.count("CheckpointEvaluated") == 2
    assert operator.metric("lccp_reconcile_errors_total") == 0
    (shown,), (attempt,) = status["attempts"], namespace.journal("tiny").attempts
    assert attempt.ended_at is not None
    wall = (attempt.ended_at - attempt.started_at).total_seconds()
    assert shown["seconds"] == attempt.seconds
    assert sum(attempt.seconds.values()) == round(wall)


@pytest.mark.long
def test_an_external_suite_evaluates_beside_the_probes_and_its_failure_is_told(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    suites = [{"name": name, "command": [f"./{name}"], "image": "mine:1"} for name in ("a", "b")]
    evaluations = {"suites": suites, "concurrency": 3, "retries": 0}
    a_started_run(namespace, jobs, length=1, evaluation=evaluations)
    namespace.save("tiny", 1, FIRST)
    namespace.end("tiny", 1, FIRST, Cause.COMPLETED)
    jobs.end(TRAINING)
    for suite in (INTRINSIC, "a"):
        jobs.start(evaluation(FIRST, suite))
        namespace.report("tiny", FIRST, suite)
        jobs.end(evaluation(FIRST, suite))
        jobs.let_go(evaluation(FIRST, suite))
    ended = {"exitCode": 1, "message": "KeyError: 'acc'", "finishedAt": "2026-01-05T09:00:00Z"}
    program = {"name": SUITE, "image": "mine:1", "imageID": "", "ready": False, "restartCount": 0}
    states = [program | {"state": {"terminated": ended}}]
    (pod,) = jobs.start(evaluation(FIRST, "b"), "Failed", initContainerStatuses=states)
    jobs.fail(evaluation(FIRST, "b"))

    namespace.wait_condition("tiny", "Succeeded", "True")
    containers = [container["name"] for container in pod["spec"]["initContainers"]]
    assert containers == [FETCH, SUITE]
    told = namespace.conditions("tiny")["Degraded"]["message"]
    assert "suite b: " in told
    assert "KeyError: 'acc'" in told
    assert [*namespace.journal("tiny").evaluations] == [
        f"{FIRST:015d}/{suite}" for suite in ("a", "b", INTRINSIC)
    ]


@pytest.mark.long
def test_an_annotation_has_a_finished_run_evaluated_anew(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    a_started_run(namespace, jobs, length=1)
    namespace.save("tiny", 1, FIRST)
    namespace.end("tiny", 1, FIRST, Cause.COMPLETED)
    jobs.end(TRAINING)
    jobs.start(evaluation(FIRST))
    namespace.report("tiny", FIRST)
    jobs.end(evaluation(FIRST))
    jobs.let_go(evaluation(FIRST))
    namespace.wait_condition("tiny", "Succeeded", "True")

    annotated = {"metadata": {"annotations": {"lccp.io/reevaluate": "all", "mine": "yes"}}}
    namespace.api.patch(api.RUNS, namespace.name, "tiny", annotated)

    jobs.start(evaluation(FIRST))
    assert namespace.run("tiny")["metadata"]["annotations"] == {"mine": "yes"}
    assert namespace.store.stat(namespace.keys("tiny").report(FIRST)) is None
    namespace.wait_condition("tiny", "Succeeded", "False")
    wait_for(lambda: "Reevaluating" in namespace.events("tiny"), "the event is not posted")


@pytest.mark.long
@pytest.mark.parametrize(
    ("code", "rule", "cause"),
    [(ExitCode.CONFIGURATION, 1, "Configuration"), (ExitCode.NOT_FINITE, 2, "NotFinite")],
    ids=str,
)
def test_a_failure_that_cannot_mend_fails_the_run(
    namespace: Namespace, jobs: JobPlayer, code: int, rule: int, cause: str
) -> None:
    a_started_run(namespace, jobs)
    jobs.end(TRAINING, code, rule)

    namespace.wait_condition("tiny", "Failed", "True")
    assert namespace.run("tiny")["status"]["attempts"][0]["cause"] == cause
    assert namespace.job("tiny-train-a2") is None


@pytest.mark.long
def test_a_failed_gang_is_replaced_as_a_whole(namespace: Namespace, jobs: JobPlayer) -> None:
    a_started_run(namespace, jobs)
    jobs.end(TRAINING, ExitCode.INTERNAL, 3)

    jobs.start("tiny-train-a2")
    namespace.wait_condition("tiny", "Training", "True")
    assert [a.cause for a in namespace.journal("tiny").attempts] == [Cause.INTERNAL, None]


@pytest.mark.long
def test_what_happens_is_logged_with_run_and_attempt(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess
) -> None:
    a_started_run(namespace, jobs)
    jobs.end(TRAINING, ExitCode.INTERNAL, 3)
    namespace.wait_job("tiny-train-a2")

    run = f"{namespace.name}/tiny"
    for n in (1, 2):
        told = f"INFO    {run} attempt={n}: AttemptStarted: attempt {n} starts"
        wait_for(lambda told=told: told in operator.log.read_text(), told, operator.log)


def test_the_users_own_annotations_and_finalizers_stay(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    document = run_document("tiny", deletionPolicy="DeleteArtifacts")
    document["metadata"] |= {"annotations": {"mine": "yes"}, "finalizers": ["example.org/mine"]}
    namespace.create_run(document)
    jobs.start(TRAINING)
    namespace.wait_condition("tiny", "Training", "True")

    metadata = namespace.run("tiny")["metadata"]
    assert metadata["annotations"] == {"mine": "yes"}
    assert metadata["finalizers"] == ["example.org/mine", "lccp.io/purge"]


def test_a_run_that_is_kept_has_no_finalizer_and_its_workloads_an_owner(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    a_started_run(namespace, jobs, topology={"nodes": 2})
    run = namespace.run("tiny")
    workloads = [namespace.job(TRAINING), namespace.api.get(api.SERVICES, namespace.name, TRAINING)]

    assert "finalizers" not in run["metadata"]
    for workload in workloads:
        assert workload is not None
        assert [o["uid"] for o in workload["metadata"]["ownerReferences"]] == [
            run["metadata"]["uid"]
        ]
    namespace.delete_run("tiny")
    assert is_gone(namespace)


def test_a_deleted_run_that_is_kept_says_so_until_it_is_applied_again(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess
) -> None:
    a_started_run(namespace, jobs)
    series = f'lccp_run_summary{{namespace="{namespace.name}",run="tiny",summary="Starting"}}'
    wait_for(lambda: operator.metric(series) == 1, "the run object has no series")
    namespace.delete_run("tiny")

    wait_for(lambda: deleted_at(namespace) is not None, "the journal does not say so")
    assert operator.metric(series) == 0

    namespace.api.delete(api.JOBS, namespace.name, TRAINING)
    jobs.let_go(TRAINING)
    namespace.create_run(run_document("tiny"))
    wait_for(lambda: deleted_at(namespace) is None, "the run is not taken up again")


def test_a_deletion_that_a_finalizer_holds_up_is_told(
    namespace: Namespace, operator: OperatorProcess
) -> None:
    document = run_document("tiny")
    document["metadata"]["finalizers"] = ["example.org/mine"]
    namespace.create_run(document)
    namespace.wait_job(TRAINING)
    namespace.delete_run("tiny")

    series = f'lccp_run_deletion_timestamp_seconds{{namespace="{namespace.name}",run="tiny"}}'
    wait_for(lambda: operator.metric(series) > 0, "the deletion is not told")
    released = {"metadata": {"finalizers": []}}
    namespace.api.patch(api.RUNS, namespace.name, "tiny", released)
    wait_for(lambda: operator.metric(series) == 0, "the deleted run has a series")


@pytest.mark.long
def test_artifacts_are_purged_before_the_run_goes(namespace: Namespace, jobs: JobPlayer) -> None:
    a_started_run(namespace, jobs, deletionPolicy="DeleteArtifacts")
    namespace.delete_run("tiny")

    jobs.let_go(TRAINING)
    jobs.start(PURGE)
    assert not is_gone(namespace)
    delete_prefix(namespace.store, namespace.keys("tiny").prefix)
    jobs.end(PURGE)

    wait_for(lambda: is_gone(namespace), "the run is still there")
    assert "ArtifactsPurged" in namespace.events("tiny")


@pytest.mark.long
def test_a_purge_that_does_not_end_lets_go_of_the_run(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    a_started_run(namespace, jobs, deletionPolicy="DeleteArtifacts", purgeTimeoutSeconds=1)
    namespace.delete_run("tiny")

    wait_for(lambda: is_gone(namespace), "the run is still there")
    assert "PurgeGivenUp" in namespace.events("tiny")


def test_a_namespace_that_ends_is_not_held_up(namespace: Namespace, jobs: JobPlayer) -> None:
    a_started_run(namespace, jobs, deletionPolicy="DeleteArtifacts")
    namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")
    namespace.delete_run("tiny")

    wait_for(lambda: is_gone(namespace), "the run is still there")
    assert namespace.job(PURGE) is None


@pytest.mark.long
def test_a_run_applied_again_waits_for_its_old_workloads_and_goes_on(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    a_started_run(namespace, jobs)
    namespace.delete_run("tiny")
    namespace.create_run(run_document("tiny"))
    waits = namespace.wait_condition("tiny", "Degraded", "True")
    assert f"Job {TRAINING} of the deleted run of this name has not ended yet" in waits["message"]
    namespace.save("tiny", 1, FIRST)

    namespace.api.delete(api.JOBS, namespace.name, TRAINING)
    jobs.let_go(TRAINING)
    namespace.wait_job("tiny-train-a2")
    namespace.wait_job(evaluation(FIRST))


@pytest.mark.long
def test_a_gang_that_was_orphaned_is_found_and_no_other_is_started(
    namespace: Namespace, jobs: JobPlayer
) -> None:
    a_started_run(namespace, jobs)
    namespace.beat("tiny", 1, 0)
    namespace.delete_run("tiny")
    orphaned = {"metadata": {"ownerReferences": []}}
    namespace.api.patch(api.JOBS, namespace.name, TRAINING, orphaned)
    namespace.create_run(run_document("tiny"))

    remedy = f"kubectl delete job/{TRAINING} -n {namespace.name}"
    wait_for(
        lambda: remedy in namespace.conditions("tiny").get("Degraded", {}).get("message", ""),
        "the orphan is not reported",
    )
    assert [job["metadata"]["name"] for job in namespace.jobs()] == [TRAINING]

    namespace.save("tiny", 1, FIRST)
    jobs.end(TRAINING)
    namespace.wait_job("tiny-train-a2")


def test_a_run_applied_again_with_another_model_is_refused(namespace: Namespace) -> None:
    namespace.create_run(run_document("tiny"))
    namespace.wait_job(TRAINING)
    namespace.delete_run("tiny")
    wait_for(lambda: deleted_at(namespace) is not None, "the journal does not say so")
    namespace.save("tiny", 1, FIRST)
    namespace.api.delete(api.JOBS, namespace.name, TRAINING)
    JobPlayer(namespace).let_go(TRAINING)
    another = run_document("tiny")
    another["spec"]["model"] = another["spec"]["model"] | {"ropeBase": 80_000}

    namespace.create_run(another)
    refused = namespace.wait_condition("tiny", "Accepted", "False")
    assert refused["reason"] == "StoreHoldsAnotherRun"
    assert "model.ropeBase is 40000 there and 80000 here" in refused["message"]


def test_an_unknown_store_is_named(namespace: Namespace) -> None:
    namespace.create_run(run_document("tiny", checkpoints={"everyTokens": 8_192, "storeName": "x"}))

    refused = namespace.wait_condition("tiny", "Accepted", "False")
    assert refused["reason"] == "UnknownStore"
    assert "there is no store 'x'; this installation has default" in refused["message"]
