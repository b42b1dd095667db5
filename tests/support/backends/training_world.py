"""A run that trains, and what its status reports."""

from dataclasses import replace
from typing import Any

from operator_world import (
    NEVER,
    World,
    a_small_run,
    begun,
)

from lccp.api.conditions import ConditionType
from lccp.api.status import LCCPRunStatus
from lccp_operator.observed import Observed


def a_world(**spec: Any) -> World:
    return World(a_small_run(**spec), NEVER)


def a_training_world() -> World:
    world = begun(a_world())
    world.reconcile()  # sees the evaluator that the last one began
    return world


def status(world: World) -> LCCPRunStatus:
    assert world.run.status is not None
    return world.run.status


def message(world: World, type_: ConditionType) -> str:
    return next(c.message for c in status(world).conditions if c.type is type_)


def seen(world: World, **more: Any) -> Observed:
    return replace(world.observed(), **more)
