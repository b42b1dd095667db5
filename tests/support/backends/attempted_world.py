"""A world whose attempts train, and end as a test specifies."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from operator_world import (
    KEYS,
    NEVER,
    START,
    World,
    a_small_run,
    begun,
    conditions,
    started,
)

from lccp.api.conditions import Reason
from lccp_operator.intents import (
    Plan,
)
from lccp_operator.observed import Known, Observed
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.state import Phase, Pod, Trouble, WorkloadState
from lccp_operator.workloads.training import Training

CLOCKS = [timedelta(), *(timedelta(minutes=m) for m in (-60, -2, 2, 60))]
"""How much the clock of a node may be ahead of the operator's."""

POLICY = {"maxRestarts": 3, "backoffSeconds": 10, "maxBackoffSeconds": 35}


def a_world(**spec: Any) -> World:
    return World(a_small_run(**{"restartPolicy": POLICY} | spec), NEVER)


def a_training_world(**spec: Any) -> World:
    """Its first attempt trains, with one checkpoint made."""
    return begun(a_world(**spec))


def gangs(decided: Plan) -> list[Workload]:
    return [workload for workload in started(decided) if isinstance(workload, Training)]


def training(world: World) -> tuple[str, str]:
    return conditions(world.run)["Training"]


def observed(world: World, workloads: Mapping[Workload, WorkloadState]) -> Observed:
    return replace(world.observed(), workloads=Known(workloads))


def observed_gang(world: World, *pods: Pod, start: int = 0, **state: Any) -> Observed:
    gang = WorkloadState(
        Phase.RUNNING, pods, 2, started_at=START + timedelta(seconds=start), **state
    )
    return observed(world, {Training(1): gang})


def topology(nodes: int) -> dict[str, Any]:
    return {"topology": {"nodes": nodes}}


def settings(world: World, attempt: int) -> Any:
    return json.loads(world.store.get(KEYS.control(attempt)))["settings"]["topology"]["nodes"]


REFUSED = Trouble(Reason.QUOTA_EXCEEDED, "exceeded quota: gpus")


def gathering(world: World, seconds: int) -> Plan:
    """A reconcile so long after one of two pods began."""
    world.now = START + timedelta(seconds=seconds)
    peer = Pod(0, "a", Phase.RUNNING, began_at=START)
    return world.reconcile(observed_gang(world, peer, trouble=REFUSED))
