"""Invariants of every run: the plan against a world that fails at random."""

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from operator_world import (
    BUDGET_TOKENS,
    EVERY_TOKENS,
    KEYS,
    World,
    a_small_run,
    conditions,
    saturating_at,
    unknown,
    with_spec,
    with_uid,
)

from lccp.api.causes import Cause
from lccp.api.conditions import ConditionType
from lccp.api.exits import ExitCode
from lccp.api.labels import ANNEAL, INTRINSIC, evaluation_key
from lccp.facts.facts import EvaluationKey
from lccp_operator.intents import Event, EventReason, WriteConditions
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase
from lccp_operator.workloads.training import Training

pytestmark = pytest.mark.slow

FAILURES = [ExitCode.STORE_UNREACHABLE, ExitCode.INTERNAL, ExitCode.HANG, ExitCode.TERMINATED]
RETRIES = 2
BRANCHES = {"atTokens": [EVERY_TOKENS, 2 * EVERY_TOKENS], "tokens": EVERY_TOKENS}


class RunLife(RuleBasedStateMachine):
    """One run, its trainer and evaluators, its user, and an operator that may end anywhere."""

    def __init__(self) -> None:
        super().__init__()
        spec = {
            "restartPolicy": {"maxRestarts": 100, "backoffSeconds": 1, "maxBackoffSeconds": 2},
            "evaluation": {"concurrency": 2, "retries": RETRIES},
            "checkpoints": {"everyTokens": EVERY_TOKENS, "anneal": BRANCHES},
        }
        self.world = World(a_small_run(**spec), saturating_at(4 * EVERY_TOKENS))
        self.known: set[int] = set()
        self.successes: Counter[EvaluationKey] = Counter()

    @initialize(ended=st.booleans())
    def begin(self, ended: bool) -> None:
        """Half of all runs begin with their first branch: few would come so far."""
        while ended and not any(a.branch for a in self.world.journal.attempts):
            self.world.pass_time(self.world.reconcile().requeue_after_seconds or 1.0)
            self.world.train()
            self.evaluation_ends(ExitCode.OK)

    # The operator ---------------------------------------------------------------------------

    @rule()
    def reconcile(self) -> None:
        self.world.reconcile()

    @rule(steps=st.integers(0, 4))
    def look_and_crash(self, steps: int) -> None:
        self.world.steps_before_crash = steps
        self.world.reconcile()
        self.world.steps_before_crash = None

    @rule(part=st.sampled_from(["workloads", "store"]))
    def look_in_the_dark(self, part: str) -> None:
        before = self._touched()
        decided = self.world.reconcile(replace(self.world.observed(), **{part: unknown()}))
        assert all(isinstance(intent, WriteConditions) for intent in decided.intents)
        assert self._touched() == before

    @rule()
    def empty_the_status(self) -> None:
        self.world.run = self.world.run.model_copy(update={"status": None})

    # The machines ---------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.5, 5.0, 700.0]))
    def pass_time(self, seconds: float) -> None:
        self.world.pass_time(seconds)

    @rule()
    def train(self) -> None:
        self.world.train()

    @precondition(lambda self: self.world.trainer)
    @rule(code=st.sampled_from(FAILURES), disrupted=st.booleans())
    def training_fails(self, code: ExitCode, disrupted: bool) -> None:
        self.world.end_training(code, disrupted=disrupted)

    @precondition(lambda self: self.world.workers)
    @rule(data=st.data())
    def workload_disappears(self, data: st.DataObject) -> None:
        workload = data.draw(st.sampled_from(sorted(self.world.workers, key=repr)))
        del self.world.workers[workload]

    @precondition(lambda self: self.world.evaluators)
    @rule(code=st.sampled_from([ExitCode.OK, ExitCode.OK, ExitCode.INTERNAL]))
    def evaluation_ends(self, code: ExitCode) -> None:
        before = set(self.world.facts.reports)
        self.world.evaluate(code)
        self.successes.update(set(self.world.facts.reports) - before)

    # The user -------------------------------------------------------------------------------

    @rule(suspend=st.booleans())
    def suspend(self, suspend: bool) -> None:
        self.world.run = with_spec(self.world.run, suspend=suspend)

    @rule(action=st.sampled_from(["None", "Notify", "Suspend", "Stop"]))
    def change_action(self, action: str) -> None:
        saturation = {"minGain": "0.03", "action": action}
        self.world.run = with_spec(self.world.run, saturation=saturation)

    @rule()
    def apply_again(self) -> None:
        self.world.run = with_uid(self.world.run, f"{self.world.run.metadata.uid}+")

    # What holds ------------------------------------------------------------------------------

    @invariant()
    def one_gang_at_most(self) -> None:
        gangs = [c for c in self.world.workers if isinstance(c, Training)]
        assert sum(self.world.workers[c].phase is Phase.RUNNING for c in gangs) <= 1

    @invariant()
    def no_workload_without_a_record(self) -> None:
        attempts = {attempt.number for attempt in self.world.journal.attempts}
        gangs = {c.attempt for c in self.world.workers if isinstance(c, Training)}
        assert gangs <= attempts

    @invariant()
    def attempts_are_numbered_without_gaps_and_one_is_open(self) -> None:
        attempts = self.world.journal.attempts
        assert [a.number for a in attempts] == list(range(1, len(attempts) + 1))
        assert all(a.ended_at is not None for a in attempts[:-1])

    @invariant()
    def nothing_that_was_evaluated_is_evaluated_again(self) -> None:
        assert all(n == 1 for n in self.successes.values())
        running = {c.key for c, _ in self.world.evaluators}
        assert not running & self.world.facts.reports.keys()

    @invariant()
    def no_branch_that_was_trained_is_trained_again(self) -> None:
        assert all(n <= 1 for n in self._made_by_branches().values())

    @invariant()
    def branches_begin_once_the_run_has_ended(self) -> None:
        opened = self.world.journal.attempts[-1:]
        if opened and opened[0].branch is not None and opened[0].ended_at is None:
            assert opened[0].branch in self.world.facts.checkpoints
            assert self.world.facts.checkpoints.keys() >= {EVERY_TOKENS, 2 * EVERY_TOKENS}

    @invariant()
    def checkpoints_and_outcomes_are_never_lost(self) -> None:
        assert self.known <= set(self.world.facts.checkpoints)
        self.known = set(self.world.facts.checkpoints)

    @invariant()
    def a_stop_or_an_end_is_recorded_before_the_trainer_hears_of_it(self) -> None:
        attempts = self.world.journal.attempts
        asked = {a.number for a in attempts if a.drain_asked_at or a.ended_at is not None}
        assert self.world.facts.drains <= asked

    @rule()
    def planning_again_changes_nothing(self) -> None:
        self.world.reconcile()
        self.world.reconcile()
        again = self.world.plan()
        assert again.intents == ()
        assert again.status == self.world.run.status
        assert again.events == ()

    def teardown(self) -> None:
        """However it went, it comes to an end with every checkpoint evaluated."""
        self.world.run = with_spec(self.world.run, suspend=False)
        decided = self.world.settle()
        assert decided.idle
        found = conditions(self.world.run)
        held = found["Suspended"][0] == "True"
        assert held or found["Succeeded"][0] == "True" or found["Failed"][0] == "True"
        done = {t for t, o in self.world.journal.evaluations.items() if o.result}
        checkpoints, branches = self.world.facts.checkpoints, self.world.facts.branches
        annealed = {evaluation_key(t, ANNEAL) for t in branches}
        assert {evaluation_key(t, INTRINSIC) for t in checkpoints} | annealed == done
        if found["Succeeded"][0] == "True":
            assert set(branches) == {EVERY_TOKENS, 2 * EVERY_TOKENS}

    def _made_by_branches(self) -> Counter[int | None]:
        attempts = self.world.journal.attempts
        return Counter(
            a.branch for a in attempts if a.branch is not None and a.cause is Cause.COMPLETED
        )

    def _touched(self) -> Any:
        deleting = {c for c, worker in self.world.workers.items() if worker.deleting}
        said = KEYS.conditions
        objects = {key: data for key, data in self.world.store.objects.items() if key != said}
        return objects, list(self.world.started), deleting


TestRunLife = pytest.mark.long(RunLife.TestCase)
TestRunLife.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)


@dataclass(frozen=True)
class End:
    """What a run comes to."""

    conditions: dict[str, tuple[str, str]]
    checkpoints: frozenset[int]
    outcomes: dict[str, str]
    attempts: tuple[object, ...]
    started: tuple[Workload, ...]
    events: tuple[tuple[str, str], ...]


def lived(crashes: dict[int, int]) -> End:
    """A run that fails once, and is stopped; reconcile `n` crashes after `crashes[n]` steps."""
    world = World(a_small_run(evaluation={"retries": 1}), saturating_at(3 * EVERY_TOKENS))
    for number in range(200):
        world.steps_before_crash = crashes.get(number)
        decided = world.reconcile()
        world.steps_before_crash = None
        if decided.idle and not decided.intents:
            return _end(world)
        if number in crashes:
            continue  # the machines are slower than the operator's restart
        world.pass_time(10)
        attempts = len([c for c in world.started if isinstance(c, Training)])
        if attempts == 1 and len(world.facts.checkpoints) == 2 and world.trainer:
            world.end_training(ExitCode.INTERNAL)
        world.train()
        world.evaluate()
    raise AssertionError(f"not at rest: {conditions(world.run)}")


def _end(world: World) -> End:
    journal = world.journal
    return End(
        conditions=conditions(world.run),
        checkpoints=frozenset(world.facts.checkpoints),
        outcomes={tokens: o.result for tokens, o in journal.evaluations.items()},
        attempts=tuple((a.number, a.cause, a.counted) for a in journal.attempts),
        started=tuple(sorted(world.started, key=repr)),
        events=tuple(sorted(_remembered(world.events))),
    )


def _remembered(events: list[Event]) -> list[tuple[str, str]]:
    """Reason and subject of the events that a crash can't lose: the journal holds their time."""
    lost = (EventReason.VERDICT_CHANGED, EventReason.GOING_ON)
    return [(e.reason.value, e.about) for e in events if e.reason not in lost]


@pytest.fixture(scope="module")
def undisturbed() -> End:
    return lived({})


def test_the_undisturbed_run_does_what_the_crashes_disturb(undisturbed: End) -> None:
    assert undisturbed.conditions["Succeeded"] == ("True", "Saturated")
    assert len(undisturbed.attempts) == 2
    assert len(undisturbed.outcomes) == len(undisturbed.checkpoints) < BUDGET_TOKENS / EVERY_TOKENS
    assert {type(workload) for workload in undisturbed.started} == {Training, Evaluation}
    assert ConditionType.FAILED.value in undisturbed.conditions


@settings(max_examples=60, deadline=None, derandomize=True)
@given(crashes=st.dictionaries(st.integers(0, 30), st.integers(0, 9), max_size=8))
def test_a_crash_between_any_two_steps_leads_to_the_same_end(
    undisturbed: End, crashes: dict[int, int]
) -> None:
    assert lived(crashes) == undisturbed
