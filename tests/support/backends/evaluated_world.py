"""A world whose checkpoints are to be evaluated."""

from typing import Any

from operator_world import (
    EVERY_TOKENS,
    KEYS,
    NEVER,
    World,
    a_small_run,
    heartbeat_of,
    started,
)

from lccp.api.exits import ExitCode
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.journal import EvaluationOutcome
from lccp_operator.intents import Plan
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload

FIRST, SECOND, THIRD = EVERY_TOKENS, 2 * EVERY_TOKENS, 3 * EVERY_TOKENS


def a_world(checkpoints: int = 1, policy: dict[str, int] | None = None, **evaluation: Any) -> World:
    """A world with so many checkpoints, none of them evaluated."""
    world = World(a_small_run(evaluation=evaluation, restartPolicy=policy or {}), NEVER)
    world.reconcile()
    for _ in range(checkpoints):
        world.train()
    return world


def begun(decided: Plan) -> list[Workload]:
    return [workload for workload in started(decided) if isinstance(workload, Evaluation)]


def outcome(world: World, tokens: int = FIRST) -> EvaluationOutcome | None:
    return world.journal.evaluations.get(evaluation_key(tokens, INTRINSIC))


def fail_once(
    world: World, code: int = ExitCode.INTERNAL, wait_seconds: float = 360, **how: bool
) -> None:
    """A try fails, its workload goes, and the longest wait is over; the trainer reports on."""
    world.reconcile()
    world.evaluate(code, **how)
    world.reconcile()
    world.pass_time(wait_seconds)
    report(world)


def report(world: World) -> None:
    """The trainer, if one runs, writes its heartbeat."""
    if world.trainer is not None:
        attempt, worker = world.trainer
        beat = heartbeat_of(attempt.attempt, worker.tokens, world.now)
        world.store.put(KEYS.heartbeat(beat.writer), beat.to_json())
