"""The verdict and its consequences; the deadline."""

import threading
from collections.abc import Sequence
from typing import Any

import pytest
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    START,
    World,
    a_small_run,
    applied_again,
    conditions,
    manifest_of,
    report_of,
    saturating_at,
    verdict_of,
    with_spec,
    with_uid,
)

from lccp.api.exits import ExitCode
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict, VerdictState
from lccp_operator.intents import RecordJournal, WriteControl
from lccp_operator.plan import plan

AT = 2 * EVERY_TOKENS
SATURATED = saturating_at(AT)
POLICY = {"minGain": "0.03", "action": "Stop"}


def a_saturated_world(action: str = "Stop", **spec: Any) -> World:
    """Two checkpoints are trained and evaluated; the verdict is not made yet."""
    world = World(a_small_run(saturation=POLICY | {"action": action}, **spec), SATURATED)
    world.reconcile()
    for _ in range(2):
        world.train()
        world.reconcile()
        world.evaluate()
    return world


def test_a_new_report_leads_to_a_new_verdict_in_the_store() -> None:
    world = a_saturated_world("None")
    world.reconcile()

    assert world.facts.verdict is not None
    assert world.facts.verdict.state is VerdictState.SATURATED
    assert conditions(world.run)["Saturated"] == ("True", "Saturated")


def test_runs_are_judged_one_at_a_time_so_that_few_reports_are_rebuilt_at_once() -> None:
    worlds, judging = [a_saturated_world("None") for _ in range(2)], threading.Event()
    done = threading.Event()

    def judge(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
        judging.set()
        assert done.wait(10)
        return SATURATED(reports, policy)

    first, second = (
        threading.Thread(target=plan, args=(world.run, world.observed(), world.now, judged))
        for world, judged in zip(worlds, (judge, SATURATED), strict=True)
    )
    first.start()
    assert judging.wait(10)
    second.start()
    second.join(0.2)
    waits = second.is_alive()
    done.set()
    for thread in (first, second):
        thread.join(10)

    assert waits
    assert not second.is_alive()


@pytest.mark.slow
def test_the_real_analysis_judges_by_default() -> None:
    world = a_saturated_world("None")

    decided = plan(world.run, world.observed(), world.now)

    assert decided.verdict is not None
    assert decided.verdict.at_tokens == AT


@pytest.mark.slow
@pytest.mark.parametrize("action", ["None", "Notify"])
def test_without_an_order_to_stop_training_goes_on(action: str) -> None:
    world = a_saturated_world(action)
    world.settle()

    assert world.journal.stop is None
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_stop_is_journalled_before_the_trainer_is_asked() -> None:
    world = a_saturated_world()

    kinds = [type(i) for i in world.plan().intents if isinstance(i, RecordJournal | WriteControl)]

    assert kinds == [RecordJournal, WriteControl]


def test_a_stop_ends_the_run_as_succeeded_with_every_checkpoint_evaluated() -> None:
    world = a_saturated_world()
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")
    assert conditions(world.run)["Failed"] == ("False", "Saturated")
    assert {tokens for tokens, _ in world.facts.reports} == set(world.facts.checkpoints)
    assert max(world.facts.checkpoints) < BUDGET_TOKENS


def test_no_stop_before_older_checkpoints_are_done_with() -> None:
    world = a_saturated_world()
    world.store.put(KEYS.checkpoint_manifest(1), manifest_of(1).to_json())

    world.reconcile()
    assert world.journal.stop is None
    world.evaluate()
    world.reconcile()
    assert world.journal.stop is not None


def test_suspend_holds_the_run_until_the_policy_is_changed() -> None:
    world = a_saturated_world("Suspend")
    decided = world.settle()
    assert decided.idle
    assert conditions(world.run)["Suspended"] == ("True", "Saturated")
    assert conditions(world.run)["Training"] == ("False", "Saturated")

    world.run = with_spec(world.run, saturation=POLICY | {"action": "Notify"})
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_held_run_that_is_told_to_stop_succeeds_without_training_again() -> None:
    world = a_saturated_world("Suspend")
    world.settle()
    attempts = len(world.journal.attempts)

    world.run = with_spec(world.run, saturation=POLICY)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")
    assert len(world.journal.attempts) == attempts


def test_a_stop_stands_whatever_later_reports_say() -> None:
    world = a_saturated_world()
    world.settle()
    world.judge = saturating_at(10 * BUDGET_TOKENS)

    decided = world.settle()

    assert decided.idle
    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")


def test_a_stop_is_void_under_another_policy_that_does_not_ask_for_it() -> None:
    world = a_saturated_world()
    world.settle()
    world.judge = saturating_at(10 * BUDGET_TOKENS)

    world.run = with_spec(world.run, saturation=POLICY | {"minGain": "0.001"})
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")
    assert max(world.facts.checkpoints) == BUDGET_TOKENS


def test_a_crash_while_draining_does_not_start_training_again() -> None:
    world = a_saturated_world()
    world.reconcile()
    world.end_training(ExitCode.INTERNAL)
    world.settle()

    assert len(world.journal.attempts) == 1
    assert conditions(world.run)["Succeeded"] == ("True", "Saturated")


def test_a_saturation_that_is_seen_after_the_budget_stops_nothing() -> None:
    world = World(a_small_run(saturation=POLICY), saturating_at(BUDGET_TOKENS))
    world.settle()

    assert world.journal.stop is None
    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_a_saturation_that_is_seen_after_a_failure_makes_no_success() -> None:
    world = a_saturated_world()
    world.end_training(ExitCode.CONFIGURATION)
    world.settle()

    assert world.journal.stop is None
    assert conditions(world.run)["Failed"] == ("True", "Configuration")


def test_the_deadline_drains_the_run_and_fails_it() -> None:
    world = World(a_small_run(activeDeadlineSeconds=60), saturating_at(10 * BUDGET_TOKENS))
    decided = world.reconcile()
    assert decided.requeue_after_seconds is not None
    assert decided.requeue_after_seconds <= 60
    world.train()
    world.pass_time(61)

    world.settle()

    assert conditions(world.run)["Failed"] == ("True", "DeadlineExceeded")
    assert {tokens for tokens, _ in world.facts.reports} == set(world.facts.checkpoints)


def test_a_later_deadline_lets_the_run_go_on() -> None:
    world = World(a_small_run(activeDeadlineSeconds=60), saturating_at(10 * BUDGET_TOKENS))
    world.reconcile()
    world.pass_time(61)
    world.settle()

    world.run = with_spec(world.run, activeDeadlineSeconds=86_400)
    world.settle()

    assert conditions(world.run)["Succeeded"] == ("True", "Completed")


def test_the_deadline_of_a_run_that_is_applied_again_begins_anew() -> None:
    world = World(a_small_run(activeDeadlineSeconds=60), saturating_at(10 * BUDGET_TOKENS))
    world.reconcile()
    world.pass_time(61)
    world.settle()

    world.run = with_uid(world.run, "run-2")
    world.reconcile()

    assert world.journal.stop is None
    assert world.journal.accepted is not None
    assert world.journal.accepted.at > START


def test_reports_of_checkpoints_that_do_not_exist_are_not_judged() -> None:
    world = a_saturated_world("None")
    world.store.put(KEYS.report(99), report_of(manifest_of(99)).to_json())

    decided = world.reconcile()

    assert decided.verdict is not None
    assert 99 not in [checkpoint.tokens for checkpoint in decided.verdict.checkpoints]


def test_a_checkpoint_that_is_deleted_to_save_space_stays_judged() -> None:
    world = a_saturated_world("None")
    world.reconcile()
    world.train()
    world.reconcile()
    before = world.facts.verdict

    world.store.delete(KEYS.checkpoint_manifest(EVERY_TOKENS))
    world.reconcile()
    assert world.facts.verdict == before

    world.store.delete(KEYS.report(EVERY_TOKENS))
    world.reconcile()
    assert world.facts.verdict != before


def test_a_report_of_a_checkpoint_that_training_has_yet_to_reach_again_does_not_count() -> None:
    world = a_saturated_world("None")
    world.reconcile()
    before = world.facts.verdict
    world.store.delete(KEYS.checkpoint_manifest(2 * EVERY_TOKENS))

    again = applied_again(world)
    again.reconcile()

    assert again.facts.verdict is not None
    assert again.facts.verdict != before


def test_nothing_is_judged_twice_not_even_by_another_process() -> None:
    asked: list[int] = []

    def judge(reports: Sequence[EvaluationReport], policy: Policy) -> Verdict:
        asked.append(len(reports))
        return verdict_of([report.tokens for report in reports])

    world = World(a_small_run(), judge)
    for _ in range(2):
        world.reconcile()
        world.train()
        world.reconcile()
        world.evaluate()
        world.reconcile()
        world.restart_operator()
        world.reconcile()

    assert asked == [1, 2]
    world.run = with_spec(world.run, saturation=POLICY | {"patience": 3})
    world.reconcile()
    assert asked == [1, 2, 2]
