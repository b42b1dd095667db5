"""The parts of a rank's training, put together in order, and run."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from lccp.api.objects.journal import Cause
from lccp.api.objects.training import End
from lccp.store.keys import writer_name
from lccp.store.port import Store
from lccp_trainer.batching import StepShape, step_shape
from lccp_trainer.control import StopRequests
from lccp_trainer.data import DataStream, open_stream
from lccp_trainer.ends import NotFinite
from lccp_trainer.engine import build_engine, gang_words, join_gang
from lccp_trainer.flops import count_parameters, flops_per_token
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.logs import LOGGER
from lccp_trainer.loop import Loop
from lccp_trainer.model import load_config, load_tokenizer
from lccp_trainer.place import Place
from lccp_trainer.publish import Publisher, complete_tokens
from lccp_trainer.resume import Resume
from lccp_trainer.saving import Saver
from lccp_trainer.source import context_length, read_config
from lccp_trainer.state import Point, load_state
from lccp_trainer.stepping import Stepper
from lccp_trainer.uploads import Uploader
from lccp_trainer.watchdog import Watchdog

MESSAGES = {
    Cause.COMPLETED: "trained the whole budget",
    Cause.DRAINED: "saved and ended as asked",
    Cause.TERMINATED: "saved after SIGTERM",
}


@dataclass(frozen=True)
class Edges:
    """What a rank exchanges with the world outside the gang."""

    store: Store
    requests: StopRequests
    watchdog: Watchdog
    reporter: Reporter | None
    """On rank 0."""


@dataclass(frozen=True)
class Parts:
    """What a rank trains with."""

    device: torch.device
    config: Any
    stream: DataStream
    engine: Any
    saver: Saver


def train(place: Place, edges: Edges) -> End:
    """Train as the rank at `place`, from where the run is to its end or to a stop."""
    shape = step_shape(place.spec)
    parts = build(place, edges, shape)
    edges.watchdog.touch()
    point = resumed(place, edges, parts) or fresh(place, parts)
    edges.watchdog.touch()
    LOGGER.info("training from %d tokens on", point.tokens)
    loop = Loop(
        training=place.spec.training,
        shape=shape,
        due=place.spec.checkpoints.due(place.spec.training.tokens),
        stream=parts.stream,
        stepper=Stepper(parts.engine, place.spec.training, shape, place.rank, parts.device),
        saver=parts.saver,
        requests=edges.requests,
        watchdog=edges.watchdog,
        reporter=edges.reporter,
        flops_per_token=flops_per_token(
            parts.config.get_text_config(),
            *count_parameters(parts.engine.module),
            shape.row_tokens,
        ),
        device_name=torch.cuda.get_device_name() if parts.device.type == "cuda" else None,
    )
    try:
        cause, point = loop.run(point)
    except NotFinite:
        parts.saver.uploader.finish()
        raise
    edges.watchdog.stop()
    parts.saver.uploader.finish()
    message = f"{MESSAGES[cause]}: {point.tokens:,} tokens, {point.step:,} steps"
    now = datetime.now(UTC)
    return End(result=cause, tokens=point.tokens, step=point.step, message=message, at=now)


def build(place: Place, edges: Edges, shape: StepShape) -> Parts:
    """Join the gang and build what training needs."""
    spec = place.spec
    device = join_gang(spec, place.local_rank)
    words = gang_words()
    directory = place.base / spec.model.source
    source_context = context_length(read_config(directory), directory)
    config = load_config(spec.model, directory)
    stream = _stream(place, config, (source_context, shape.row_tokens))
    engine = build_engine(spec, directory, config, shape.accumulation_steps)
    torch.manual_seed(spec.training.seed + place.rank)

    def told(name: str, by_rank_0: Callable[[], Any]) -> Any:
        if place.rank == 0:
            words.set(name, json.dumps(by_rank_0()))
        return json.loads(words.get(name))

    invocation, keys = place.invocation, place.keys
    publisher = Publisher(
        store=edges.store,
        keys=keys,
        writer=told("writer", lambda: writer_name(invocation.attempt, invocation.pod_uid)),
        rank=place.rank,
        world=shape.processes,
        gang=words,
        lengths=(source_context, shape.row_tokens),
        keep_states=spec.checkpoints.keep_states,
    )
    saver = Saver(
        engine=engine,
        stream=stream,
        publisher=publisher,
        uploader=Uploader(),
        reporter=edges.reporter,
        source=directory,
        scratch=place.own_scratch,
        checkpoints=set(
            told("checkpoints", lambda: complete_tokens(edges.store, keys.checkpoints))
        ),
        states=set(told("states", lambda: complete_tokens(edges.store, keys.states))),
    )
    return Parts(device, config, stream, engine, saver)


def resumed(place: Place, edges: Edges, parts: Parts) -> Point | None:
    """Put the engine where the newest state that verifies has it; None if there is none."""
    saver = parts.saver
    resume = Resume(
        edges.store, place.keys, place.rank, dist.get_world_size(), parts.device, place.own_scratch
    )
    found = resume.find(saver.states)
    saver.damaged |= found.damaged
    saver.states -= found.damaged
    if edges.reporter:
        edges.reporter.update(checkpoints=sorted(saver.checkpoints), states=sorted(saver.states))
    if found.directory is None:
        return None
    point = load_state(parts.engine, place.rank, found.directory)
    LOGGER.info("resumed from the state of %d tokens", point.tokens)
    if edges.reporter:
        edges.reporter.update(
            resumed_from_tokens=point.tokens, tokens=point.tokens, step=point.step
        )
    return point


def fresh(place: Place, parts: Parts) -> Point:
    """The start of the run; the model before any training is checkpoint 0 if that is wanted."""
    point = Point(step=0, tokens=0, position=parts.stream.start())
    if place.spec.evaluation.baseline:
        parts.saver.checkpoint(point)
    return point


def _stream(place: Place, config: Any, lengths: tuple[int, int]) -> DataStream:
    spec = place.spec
    tokenizer = load_tokenizer(spec.model, place.base / spec.model.source, config)
    paths: list[Path] = [place.base / source.path for source in spec.data.sources]
    return open_stream(spec.data, paths, tokenizer, lengths, place.own_scratch)
