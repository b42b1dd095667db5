"""The parts of a rank's training, put together in order, and run."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from lccp.api.causes import Cause
from lccp.api.objects.training import End
from lccp.contract.errors import InvalidInput
from lccp.cost.layout import StepShape, step_shape
from lccp.store.assignment import known_state
from lccp.store.directory import delete_prefix
from lccp.store.keys import writer_name
from lccp.store.patience import patiently
from lccp.store.port import Store
from lccp_trainer.control import Requests, Stop
from lccp_trainer.data.stream import Stream
from lccp_trainer.ends import NotFinite, Stopped
from lccp_trainer.goodput import WallClock
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.loop import Loop
from lccp_trainer.model.source import flops_of_token
from lccp_trainer.objectives.held_out import HeldOutMeter
from lccp_trainer.objectives.pretrain import pretraining
from lccp_trainer.objectives.sft import fine_tuning
from lccp_trainer.objectives.task import Task
from lccp_trainer.parallel import attention
from lccp_trainer.parallel.engine import build_engine
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.process_group import Shared, join_process_group, rendezvous_store
from lccp_trainer.records import Recorder
from lccp_trainer.state.publish import Publisher, complete_tokens
from lccp_trainer.state.resume import Resume, Rewind
from lccp_trainer.state.saving import Saver
from lccp_trainer.state.start import Start, check_room
from lccp_trainer.state.uploads import Uploader
from lccp_trainer.stepping import Stepper
from lccp_trainer.watchdog import Watchdog
from lccp_trainer.worker import Worker

logger = logging.getLogger(__name__)

MESSAGES = {
    Cause.COMPLETED: "trained the whole budget",
    Cause.DRAINED: "saved its state and exited, as requested",
    Cause.TERMINATED: "saved after SIGTERM",
}


@dataclass(frozen=True)
class Connections:
    """What a worker exchanges with the world outside the process group."""

    store: Store
    requests: Requests
    watchdog: Watchdog
    clock: WallClock
    reporter: Reporter | None
    """On rank 0."""

    def alive(self) -> None:
        """Report that work before the first step continues; raises Stopped after a SIGTERM."""
        self.watchdog.touch()
        if self.requests.asked.stop is Stop.TERMINATE:
            raise Stopped("received SIGTERM before the first step: there was nothing to save")


@dataclass(frozen=True)
class Parts:
    """What a rank trains with."""

    task: Task
    shape: StepShape
    device: torch.device
    groups: Groups
    engine: Any
    saver: Saver
    resume: Resume
    shared: Shared
    known_state: int
    """Tokens of the newest state that there was before; 0: none is known."""


def train(worker: Worker, connections: Connections) -> End:
    """Train as `worker`, from the run's current point to its end or to a stop."""
    parts = build(worker, connections)
    task = parts.task
    connections.watchdog.touch()
    start = Start(task, parts.saver, parts.resume, connections.reporter, parts.known_state)
    point = start()
    connections.watchdog.touch()
    logger.info("training starts at %d tokens", point.tokens)
    loop = _loop(connections, parts)
    try:
        cause, point = loop.run(point)
    except NotFinite:
        parts.saver.uploader.finish()
        raise
    connections.watchdog.stop()
    connections.clock.turn_to("ending")
    parts.saver.uploader.finish()
    if cause is Cause.COMPLETED and not task.extendable and worker.rank == 0:
        patiently(lambda: delete_prefix(connections.store, worker.keys.states))
    message = f"{MESSAGES[cause]}: {point.tokens:,} tokens, {point.step:,} steps"
    now = datetime.now(UTC)
    return End(result=cause, tokens=point.tokens, step=point.step, message=message, at=now)


def _loop(connections: Connections, parts: Parts) -> Loop:
    task, shape = parts.task, parts.shape
    training = task.spec.trained
    recorder = Recorder(
        engine=parts.engine,
        reporter=connections.reporter,
        log_every_steps=training.log_every_steps,
        step_tokens=shape.tokens,
        sources=task.stream.names,
        epochs=task.stream.epochs,
        processes=shape.layout.processes,
        flops_per_token=flops_of_token(task.directory),
        device_name=torch.cuda.get_device_name() if parts.device.type == "cuda" else None,
    )
    return Loop(
        training=training,
        checkpoints=task.spec.checkpoints,
        shape=shape,
        stream=task.stream,
        stepper=Stepper(parts.engine, training, shape, parts.groups, parts.device),
        saver=parts.saver,
        rewind=Rewind(parts.resume, parts.saver, parts.shared),
        requests=connections.requests,
        watchdog=connections.watchdog,
        clock=connections.clock,
        recorder=recorder,
    )


def build(worker: Worker, connections: Connections) -> Parts:
    """Join the process group and build what training needs."""
    device = join_process_group(worker.spec, worker.local_rank)
    task = _task(worker, connections)
    spec, shape = task.spec, step_shape(task.spec)
    if worker.sft is None and worker.rank == 0:
        check_room(spec, task.directory, worker.scratch)
    if connections.reporter:
        accelerators = shape.layout.processes if device.type == "cuda" else 0
        connections.reporter.update(accelerators=accelerators)
    groups = Groups.create(shape.layout, worker.rank)
    facts = rendezvous_store(spec)
    shared = Shared(worker.rank, facts)
    check_documents(task.stream, shared)
    attention.register()
    engine = build_engine(spec, task.directory, task.config, task.module, shape.accumulation_steps)
    engine.module.watch_routers(shape.row_tokens, spec.trained.router_aux_loss_coefficient)
    engine.module.watch_losses(len(task.stream.names), task.source_context, shape.row_tokens)

    invocation, keys = worker.invocation, worker.keys
    publisher = Publisher(
        store=connections.store,
        keys=keys,
        writer=shared("writer", lambda: writer_name(invocation.attempt, invocation.pod_uid)),
        rank=worker.rank,
        world=shape.layout.processes,
        rendezvous=facts,
        lengths=(task.source_context, shape.row_tokens),
        keep_states=spec.checkpoints.keep_states,
        keep_state_every=spec.checkpoints.keep_state_every_tokens,
        keep_states_at=frozenset(spec.branch_points),
        tell=_problems_to(connections.reporter),
    )
    saver = Saver(
        engine=engine,
        stream=task.stream,
        publisher=publisher,
        uploader=Uploader(),
        reporter=connections.reporter,
        source=task.directory,
        scratch=worker.own_scratch,
        budget=spec.trained.tokens,
        clock=connections.clock,
        checkpoints=set(
            shared("checkpoints", lambda: complete_tokens(connections.store, keys.checkpoints))
        ),
        states=set(shared("states", lambda: complete_tokens(connections.store, keys.states))),
        last_state=None if task.extendable else spec.trained.tokens,
        measure=None
        if task.held_out is None
        else HeldOutMeter(
            *(engine, task.held_out, shape, groups, device),
            alive=connections.watchdog.touch,
        ),
    )
    resume = Resume(connections.store, keys, engine, worker.rank, device)
    known = shared("known state", lambda: known_state(connections.store, keys, invocation.attempt))
    return Parts(task, shape, device, groups, engine, saver, resume, shared, known)


def check_documents(stream: Stream, shared: Shared) -> None:
    """Every rank plans all rows: raise InvalidInput if this one has other documents than rank 0."""
    digests = shared("documents", lambda: stream.digests)
    for name, own, of_rank_0 in zip(stream.names, stream.digests, digests, strict=True):
        if own != of_rank_0:
            raise InvalidInput(
                f"source {name}: the documents on this node differ from those on rank 0's: give "
                "all nodes the same"
            )


def _problems_to(reporter: Reporter | None) -> Callable[[str | None], None]:
    """Reports problems of the attempt: rank 0 in its heartbeat, other ranks in the log."""
    return lambda problem: reporter.update(problem=problem) if reporter else None


def _task(worker: Worker, connections: Connections) -> Task:
    if worker.sft is None:
        return pretraining(worker, connections.alive)
    task = fine_tuning(worker, connections.store, connections.alive)
    if connections.reporter:
        connections.reporter.update(tokens_total=task.spec.trained.tokens)
    return task
