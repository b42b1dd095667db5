"""The parts of a rank's training, put together in order, and run."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from lccp.api.causes import Cause
from lccp.api.objects.training import End
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.flops import flops_per_token
from lccp.cost.layout import StepShape, step_shape
from lccp.store.keys import writer_name
from lccp.store.port import Store
from lccp_trainer.control import StopRequests
from lccp_trainer.data.stream import DataStream, open_stream
from lccp_trainer.ends import NotFinite
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.loop import Loop
from lccp_trainer.model.config import load_config
from lccp_trainer.model.directory import load_tokenizer
from lccp_trainer.model.source import context_length, read_config
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.parallel import attention
from lccp_trainer.parallel.engine import build_engine
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.process_group import join_process_group, rendezvous_store
from lccp_trainer.state.progress import Point
from lccp_trainer.state.publish import Publisher, complete_tokens
from lccp_trainer.state.resume import Resume
from lccp_trainer.state.saving import Saver
from lccp_trainer.state.uploads import Uploader
from lccp_trainer.stepping import Stepper
from lccp_trainer.watchdog import Watchdog
from lccp_trainer.worker import Worker

logger = logging.getLogger(__name__)

MESSAGES = {
    Cause.COMPLETED: "trained the whole budget",
    Cause.DRAINED: "saved and ended as asked",
    Cause.TERMINATED: "saved after SIGTERM",
}


@dataclass(frozen=True)
class Connections:
    """What a worker exchanges with the world outside the process group."""

    store: Store
    requests: StopRequests
    watchdog: Watchdog
    reporter: Reporter | None
    """On rank 0."""


@dataclass(frozen=True)
class Parts:
    """What a rank trains with."""

    device: torch.device
    groups: Groups
    stream: DataStream
    engine: Any
    saver: Saver


def train(worker: Worker, connections: Connections) -> End:
    """Train as `worker`, from where the run is to its end or to a stop."""
    shape = step_shape(worker.spec)
    parts = build(worker, connections, shape)
    connections.watchdog.touch()
    point = resumed(worker, connections, parts) or fresh(worker, parts)
    connections.watchdog.touch()
    logger.info("training from %d tokens on", point.tokens)
    loop = Loop(
        training=worker.spec.training,
        shape=shape,
        due=worker.spec.checkpoints.due(worker.spec.training.tokens),
        stream=parts.stream,
        stepper=Stepper(parts.engine, worker.spec.training, shape, parts.groups, parts.device),
        saver=parts.saver,
        requests=connections.requests,
        watchdog=connections.watchdog,
        reporter=connections.reporter,
        flops_per_token=_flops_per_token(worker, shape),
        device_name=torch.cuda.get_device_name() if parts.device.type == "cuda" else None,
    )
    try:
        cause, point = loop.run(point)
    except NotFinite:
        parts.saver.uploader.finish()
        raise
    connections.watchdog.stop()
    parts.saver.uploader.finish()
    message = f"{MESSAGES[cause]}: {point.tokens:,} tokens, {point.step:,} steps"
    now = datetime.now(UTC)
    return End(result=cause, tokens=point.tokens, step=point.step, message=message, at=now)


def build(worker: Worker, connections: Connections, shape: StepShape) -> Parts:
    """Join the process group and build what training needs."""
    spec = worker.spec
    device = join_process_group(spec, worker.local_rank)
    groups = Groups.create(shape.layout, worker.rank)
    facts = rendezvous_store()
    directory = worker.base / spec.model.source
    source_context = context_length(read_config(directory), directory)
    config = load_config(spec.model, directory)
    stream = _stream(worker, config, (source_context, shape.row_tokens))
    attention.register()
    engine = build_engine(spec, directory, config, Pretraining, shape.accumulation_steps)

    def shared(name: str, by_rank_0: Callable[[], Any]) -> Any:
        if worker.rank == 0:
            facts.set(name, json.dumps(by_rank_0()))
        return json.loads(facts.get(name))

    invocation, keys = worker.invocation, worker.keys
    publisher = Publisher(
        store=connections.store,
        keys=keys,
        writer=shared("writer", lambda: writer_name(invocation.attempt, invocation.pod_uid)),
        rank=worker.rank,
        world=shape.layout.processes,
        rendezvous=facts,
        lengths=(source_context, shape.row_tokens),
        keep_states=spec.checkpoints.keep_states,
    )
    saver = Saver(
        engine=engine,
        stream=stream,
        publisher=publisher,
        uploader=Uploader(),
        reporter=connections.reporter,
        source=directory,
        scratch=worker.own_scratch,
        checkpoints=set(
            shared("checkpoints", lambda: complete_tokens(connections.store, keys.checkpoints))
        ),
        states=set(shared("states", lambda: complete_tokens(connections.store, keys.states))),
    )
    return Parts(device, groups, stream, engine, saver)


def resumed(worker: Worker, connections: Connections, parts: Parts) -> Point | None:
    """Put the engine where the newest state that verifies has it; None if there is none."""
    saver = parts.saver
    resume = Resume(connections.store, worker.keys, parts.engine, worker.rank, parts.device)
    point, damaged = resume.newest(saver.states)
    saver.damaged |= damaged
    saver.states -= damaged
    reporter = connections.reporter
    if reporter:
        reporter.update(checkpoints=sorted(saver.checkpoints), states=sorted(saver.states))
    if point is None:
        return None
    logger.info("resumed from the state of %d tokens", point.tokens)
    if reporter:
        reporter.update(resumed_from_tokens=point.tokens, tokens=point.tokens, step=point.step)
    return point


def fresh(worker: Worker, parts: Parts) -> Point:
    """The start of the run; the model before any training is checkpoint 0 if that is wanted."""
    point = Point(step=0, tokens=0, position=parts.stream.start())
    if worker.spec.evaluation.baseline:
        parts.saver.checkpoint(point)
    return point


def _flops_per_token(worker: Worker, shape: StepShape) -> float | None:
    try:
        model = Architecture.from_config(read_config(worker.base / worker.spec.model.source))
    except InvalidInput as error:
        logger.info("model FLOPs utilisation is not known: %s", error)
        return None
    return flops_per_token(model, shape.row_tokens)


def _stream(worker: Worker, config: Any, lengths: tuple[int, int]) -> DataStream:
    spec = worker.spec
    tokenizer = load_tokenizer(spec.model, worker.base / spec.model.source, config)
    paths: list[Path] = [worker.base / source.path for source in spec.data.sources]
    return open_stream(spec.data, paths, tokenizer, lengths, worker.own_scratch)
