"""The context in which policies decide."""

from dataclasses import replace
from typing import Any

import a_run
import pytest
from a_context import ACCEPTED, NOW, a_context, an_attempt
from operator_world import EVERY_TOKENS, START, a_small_run, checkpoint_of, heartbeat_of

from lccp.api.causes import Cause
from lccp.api.identity import settings_of
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.journal import Control, EvaluationOutcome, Journal, Pinned
from lccp_operator.facts import Facts
from lccp_operator.plan.context import Context
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.state import Phase, Pod, WorkloadState
from lccp_operator.workloads.training import Training

PINNED = Pinned(trainer_image="trainer:1", evaluator_image="evaluator:1", purger_image="purger:1")
RUNS = WorkloadState(Phase.RUNNING, (Pod(0, "a", Phase.RUNNING),))
WAITS = WorkloadState(Phase.PENDING, (Pod(0, "a", Phase.PENDING),))


def test_policies_decide_one_after_another_on_what_the_last_one_left() -> None:
    def first(context: Context) -> Journal:
        return context.noted(attempts=(an_attempt(1),))

    def second(context: Context) -> Journal:
        return context.noted(attempts=(*context.journal.attempts, an_attempt(2)))

    before = a_context()
    after = before.after(first, second)

    assert [attempt.number for attempt in after.journal.attempts] == [1, 2]
    assert before.journal.attempts == ()


def test_time_left_is_negative_once_it_is_over() -> None:
    context = a_context()

    assert context.seconds_left(NOW, 30) == 30
    assert context.seconds_left(START, 3_600 + 30) == 30
    assert context.seconds_left(START, 3_500) == -100


def test_only_an_attempt_whose_end_was_not_seen_is_open_and_has_a_gang() -> None:
    workloads = {Training(2): RUNS, Training(1): WAITS, Evaluation(EVERY_TOKENS): WAITS}
    ended = a_context(an_attempt(1, Cause.INTERNAL), workloads=workloads)
    open_ = a_context(an_attempt(1, Cause.INTERNAL), an_attempt(2), workloads=workloads)

    assert (ended.open_attempt, ended.gang) == (None, None)
    assert ended.last_attempt is not None
    assert open_.open_attempt == open_.last_attempt == an_attempt(2)
    assert open_.gang is RUNS
    assert list(open_.trainings) == [Training(1), Training(2)]
    assert a_context().last_attempt is None


@pytest.mark.parametrize("state", [WAITS, RUNS], ids=["before a pod begins", "after"])
def test_an_installations_image_counts_until_a_pod_begins(state: WorkloadState) -> None:
    context = a_context(an_attempt(1), workloads={Training(1): state}, journal={"pinned": PINNED})

    assert context.due.trainer_image == ("trainer:2" if state is WAITS else "trainer:1")


def test_an_image_of_the_spec_counts_at_any_time_and_pins_nothing_else() -> None:
    evaluation = {"image": "evaluator:spec"}
    started = a_context(
        an_attempt(1),
        spec={"evaluation": evaluation},
        workloads={Training(1): RUNS},
        journal={"pinned": PINNED},
    )

    due = started.due
    assert (due.evaluator_image, due.trainer_image) == ("evaluator:spec", "trainer:1")
    assert due.purger_image == "purger:1"


def test_a_heartbeat_of_an_attempt_of_this_object_says_that_a_pod_began() -> None:
    told = Facts(heartbeats={1: heartbeat_of(1, 0, START)})
    later = ACCEPTED.model_copy(update={"at": NOW})

    def due(**journal: Any) -> str:
        context = a_context(an_attempt(1), facts=told, journal={"pinned": PINNED})
        return replace(context, journal=context.noted(**journal)).due.trainer_image

    assert due() == "trainer:1"
    assert due(accepted=later) == "trainer:2"


def test_an_outcome_counts_for_the_checkpoint_that_is_there_now() -> None:
    key = (EVERY_TOKENS, INTRINSIC)
    checkpoint = checkpoint_of(EVERY_TOKENS)
    outcome = EvaluationOutcome(checkpoint_digest=checkpoint.digest, result="Failed")
    facts = Facts(checkpoints={EVERY_TOKENS: checkpoint})
    context = a_context(facts=facts, journal={"evaluations": {evaluation_key(*key): outcome}})
    other = outcome.model_copy(update={"checkpoint_digest": "another"})
    stale = replace(context, journal=context.noted(evaluations={evaluation_key(*key): other}))

    assert context.outcome(key) == outcome
    assert stale.outcome(key) is None


def test_a_store_with_another_runs_identity_names_where_it_differs() -> None:
    model = {"source": "model", "targetContextLength": 1_024, "ropeBase": 40_000}
    held = a_run.identity_of_run(a_small_run())
    other = a_run.identity_of_run(a_small_run(model=model))

    assert a_context().identity_problem is None
    assert a_context(facts=Facts(identity=held)).identity_problem is None
    problem = a_context(facts=Facts(identity=other)).identity_problem
    assert problem is not None
    assert problem.startswith("another one (model.targetContextLength")


def test_settings_differ_from_those_that_the_newest_attempt_was_started_with() -> None:
    settings = settings_of(a_small_run().spec)
    facts = Facts(controls={1: Control(settings=settings)})
    raised = {"restartPolicy": {"maxRestarts": 9}, "topology": {"nodes": 2}}

    assert a_context(an_attempt(1), facts=facts).changed_settings == []
    assert a_context(facts=facts, spec=raised).changed_settings == []
    changed = a_context(an_attempt(1), facts=facts, spec=raised).changed_settings
    assert [difference.path for difference in changed]


@pytest.mark.parametrize(("newest", "complete"), [(None, False), (4, False), (5, True), (6, True)])
def test_training_is_complete_with_the_checkpoint_that_ends_the_budget(
    newest: int | None, complete: bool
) -> None:
    made = [] if newest is None else [EVERY_TOKENS, newest * EVERY_TOKENS]
    context = a_context(facts=Facts(checkpoints={t: checkpoint_of(t) for t in made}))

    assert context.training_complete is complete
    assert context.newest_checkpoint == (max(made) if made else None)
