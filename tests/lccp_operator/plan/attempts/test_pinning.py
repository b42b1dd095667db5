"""Images and templates are pinned by the first pod of a run."""

from dataclasses import replace
from typing import Any

from operator_world import NEVER, World, a_small_run, with_spec

from lccp.api.conditions import Reason
from lccp.api.exits import ExitCode
from lccp.api.objects.journal import Pinned
from lccp_operator.intents import ApplyWorkload, DeleteWorkload, Intent
from lccp_operator.observed import Known, Observed
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

TYPO, RIGHT = Pinned(trainer_image="trianer:v1"), Pinned(trainer_image="trainer:v1")
NO_IMAGE = WorkloadState(
    Phase.PENDING,
    (Pod(0, "a", Phase.PENDING),),
    trouble=Trouble(Reason.IMAGE_UNAVAILABLE, "trianer:v1: not found"),
)


def a_world(**spec: Any) -> World:
    return World(a_small_run(**spec), NEVER)


def offering(world: World, offered: Pinned) -> Observed:
    return replace(world.observed(), offered=offered)


def waiting(world: World, offered: Pinned) -> Observed:
    """What is observed while the first gang waits for its image."""
    return replace(offering(world, offered), workloads=Known({Training(1): NO_IMAGE}))


def test_an_image_of_which_no_pod_began_is_not_pinned() -> None:
    world = a_world()
    world.reconcile(offering(world, TYPO))
    world.reconcile(waiting(world, TYPO))
    assert world.reconcile(waiting(world, TYPO)).intents == ()

    decided = world.reconcile(waiting(world, RIGHT))
    assert DeleteWorkload(Training(1)) in decided.intents
    assert not world.journal.attempts[0].counted
    world.workers.clear()
    world.reconcile(offering(world, RIGHT))

    assert world.journal.pinned == RIGHT
    (second,) = [i for i in decided_for(world, RIGHT) if isinstance(i, ApplyWorkload)]
    assert (second.workload, second.pinned) == (Training(2), RIGHT)


def decided_for(world: World, offered: Pinned) -> tuple[Intent, ...]:
    """The intents while nothing of the open attempt is there."""
    world.workers.clear()
    return world.plan(offering(world, offered)).intents


def test_an_image_of_which_a_pod_began_stays_though_it_can_no_longer_be_had() -> None:
    world = a_world()
    world.reconcile(offering(world, TYPO))
    world.train()

    decided = world.reconcile(waiting(world, RIGHT))

    assert not [intent for intent in decided.intents if isinstance(intent, DeleteWorkload)]
    assert world.journal.pinned == TYPO


def test_an_image_that_the_spec_names_later_is_that_of_the_next_attempt() -> None:
    world = a_world()
    world.reconcile(offering(world, RIGHT))
    world.train()
    world.run = with_spec(world.run, topology={"image": "mine:v2"})
    own = Pinned(trainer_image="mine:v2")
    world.reconcile(offering(world, own))
    assert world.journal.pinned == RIGHT

    world.end_training(ExitCode.TERMINATED)
    world.reconcile(offering(world, own))
    world.pass_time()
    world.reconcile(offering(world, own))

    assert world.journal.pinned == own


def test_an_evaluator_whose_image_the_spec_corrects_is_made_anew() -> None:
    world, first = a_world(), Pinned(evaluator_image="typo:v1")
    world.reconcile(offering(world, first))
    world.train()
    world.reconcile(offering(world, first))
    ((evaluation, _),) = world.evaluators
    own = first.model_copy(update={"evaluator_image": "mine:v1"})
    evaluation_spec = world.run.document()["spec"]["evaluation"] | {"image": "mine:v1"}
    world.run = with_spec(world.run, evaluation=evaluation_spec)
    states = world.observed().workloads
    assert isinstance(states, Known)
    waits = replace(offering(world, own), workloads=Known(states.value | {evaluation: NO_IMAGE}))

    decided = world.reconcile(waits)
    assert DeleteWorkload(evaluation) in decided.intents
    world.pass_time()
    decided = world.reconcile(offering(world, own))

    assert ApplyWorkload(evaluation, own) in decided.intents
