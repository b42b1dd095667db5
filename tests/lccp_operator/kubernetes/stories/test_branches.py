"""A branch on a real API server, from the end of the training to its evaluation."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from a_cluster import JobPlayer, Namespace, run_document
from a_run import now
from apiserver import ApiServer
from operator_process import OperatorProcess, installation
from operator_world import EVERY_TOKENS, heartbeat_of, manifest_of, report_of

from lccp.api.causes import Cause
from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.api.objects.training import End
from lccp_evaluator.main import of_suite

pytestmark = [pytest.mark.apiserver, pytest.mark.long]

FIRST, BUDGET = EVERY_TOKENS, 2 * EVERY_TOKENS
END = manifest_of(FIRST + EVERY_TOKENS)
ANNEALED = {"everyTokens": EVERY_TOKENS, "anneal": {"atTokens": [FIRST], "tokens": EVERY_TOKENS}}
TRUNK, BRANCH = "tiny-train-a1", "tiny-train-a2"


@pytest.fixture
def operator(server: ApiServer, root: Path, tmp_path: Path) -> Iterator[OperatorProcess]:
    process = OperatorProcess(tmp_path, server.kubeconfig, installation(root))
    yield process.start().wait_ready()
    process.kill()


def evaluation(tokens: int, suite: str = INTRINSIC) -> str:
    return f"tiny-eval-{suite}-{tokens:015d}"


def a_trained_run(namespace: Namespace, jobs: JobPlayer) -> None:
    """Its own training has ended, and its checkpoints are evaluated."""
    namespace.create_run(run_document("tiny", checkpoints=ANNEALED))
    jobs.start(TRUNK)
    namespace.wait_condition("tiny", "Training", "True")
    for tokens in (FIRST, BUDGET):
        namespace.save("tiny", 1, tokens)
    namespace.end("tiny", 1, BUDGET, Cause.COMPLETED)
    jobs.end(TRUNK)
    for tokens in (FIRST, BUDGET):
        jobs.start(evaluation(tokens))
        namespace.report("tiny", tokens)
        jobs.end(evaluation(tokens))
        jobs.let_go(evaluation(tokens))


def end_branch(namespace: Namespace) -> None:
    """What its trainer leaves: its checkpoint, its last heartbeat and its end."""
    keys, store = namespace.keys("tiny").branch(FIRST), namespace.store
    end = End(result=Cause.COMPLETED, tokens=END.tokens, at=now())
    beat = heartbeat_of(2, END.tokens, now())
    store.put(keys.checkpoint_manifest(END.tokens), END.to_json())
    store.put(keys.heartbeat(beat.writer), beat.to_json())
    store.put(keys.end(beat.writer), end.to_json())


def report_branch(namespace: Namespace) -> None:
    """What its evaluator leaves."""
    own = report_of(END).model_copy(update={"tokens": FIRST})
    key = namespace.keys("tiny").report(FIRST, ANNEAL)
    namespace.store.put(key, of_suite(own, ANNEAL).to_json())


def restart(operator: OperatorProcess) -> None:
    operator.kill()
    operator.start().wait_ready()


def test_a_branch_is_trained_and_evaluated_once_though_the_operator_is_restarted(
    namespace: Namespace, jobs: JobPlayer, operator: OperatorProcess
) -> None:
    a_trained_run(namespace, jobs)
    (pod, *_) = jobs.start(BRANCH)
    assert pod["metadata"]["labels"]["lccp.io/branch"] == f"{FIRST:015d}"
    namespace.wait_condition("tiny", "Training", "True")
    restart(operator)
    end_branch(namespace)
    jobs.end(BRANCH)
    jobs.start(evaluation(FIRST, ANNEAL))
    namespace.wait_condition("tiny", "Evaluating", "True")
    restart(operator)
    report_branch(namespace)
    jobs.end(evaluation(FIRST, ANNEAL))
    jobs.let_go(evaluation(FIRST, ANNEAL))

    namespace.wait_condition("tiny", "Succeeded", "True")
    journal = namespace.journal("tiny")
    assert [(a.branch, a.cause) for a in journal.attempts] == [
        (None, Cause.COMPLETED),
        (FIRST, Cause.COMPLETED),
    ]
    assert {key: one.tries for key, one in journal.evaluations.items()} == {
        f"{FIRST:015d}/{ANNEAL}": 1,
        f"{FIRST:015d}/{INTRINSIC}": 1,
        f"{BUDGET:015d}/{INTRINSIC}": 1,
    }
    assert namespace.job("tiny-train-a3") is None
    told = namespace.run("tiny")["status"]["branches"]
    measured = report_of(END).signal("niah_ppl")
    assert measured is not None
    assert told.pop("values")["niah_ppl"] == f"{measured.value:.4g}"
    assert told == {"asked": 1, "trained": 1, "evaluated": 1, "atTokens": FIRST}
