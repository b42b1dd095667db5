"""The cost of an evaluation: counted before it is run, its seconds from a short trial.

The trial reads parts of the real samples. The time of each of its passes is one equation in that
pass's work (`passes.work`). Non-negative least squares over these, weighted by their times,
give what a token, a query-key pair, a piece and a judged row cost on this machine. Three short
prompts are too few for that: without a trial, they give only the seconds of an operation.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import astuple, dataclass, replace
from functools import reduce
from math import inf

import numpy as np
import torch
from scipy.optimize import nnls

from lccp.cost.planning.evaluators import FLOAT_BYTES
from lccp_evaluator.asked import Asked, Cohort, Prepared
from lccp_evaluator.model.memory import held_bytes
from lccp_evaluator.model.size import Size
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.work import Work
from lccp_evaluator.probes.choosing import work_of

FEW = 6
"""Prompts of the trial that are read to the end."""
CUT_TOKENS = (512, 1_024, 2_048)
"""Lengths to which the trial's prompts are cut where beginnings are not shared."""
SHORT_TOKENS = (32, 64, 192)

Observation = tuple[Work, float]
"""A pass, and the seconds that it took."""


@dataclass(frozen=True)
class EvaluationCost:
    """The cost of an evaluation."""

    samples: int
    """A sample counts once for every time it is read."""
    prompt_tokens: int
    """Of all samples, and of texts whose keys are not chosen yet, each counted separately."""
    passes: int
    tokens: int
    """Computed tokens: a beginning shared by several prompts counts once."""
    flops: float
    seconds: float
    memory_bytes: int
    """Of one device: weights, keys and values, logits, and the activations of a pass."""
    disk_bytes: int
    """Frozen samples and the arrays beside the report, before compression."""
    rough: bool
    """Whether its seconds come from only three short prompts."""


def estimate(
    prepared: Prepared,
    trial_seconds: float | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> EvaluationCost:
    """The cost of everything prepared; its memory is that of the leading process.

    Its seconds come from passes over parts of each probe's samples, for about `trial_seconds` or
    one pass of each. None: from its operations and three short prompts only, which is rough.
    """
    engine, cohorts = prepared.engine, prepared.cohorts
    unchosen = [turns for one in _asked(cohorts) for turns in one.unchosen]
    parts = [engine.work(cohort.passages(), cohort.plan) for cohort in cohorts]
    shared, alone = reduce(Work.__add__, parts, Work()), work_of(engine, unchosen)
    samples = [one.asked.frozen.samples[n] for one in cohorts for n in one.numbers]
    chosen_from = [len(one.ids) for turns in unchosen for passages in turns for one in passages]
    size, work = Size.of(engine.model), shared + alone
    if trial_seconds is None:
        by_flop = seconds_per_flop(size, _short(engine, cohorts[0], clock))
        costs = [by_flop * flops(size, part) for part in (shared, alone)]
    else:
        observed = _trial(engine, cohorts, trial_seconds, clock)
        costs = [seconds_of(part, observed) for part in (shared, alone)]
    return EvaluationCost(
        samples=len(samples),
        prompt_tokens=sum(sample.length for sample in samples) + sum(chosen_from),
        passes=work.passes,
        tokens=work.tokens,
        flops=flops(size, work),
        seconds=costs[0] / min(prepared.models, len(cohorts)) + costs[1],
        memory_bytes=_memory(size, prepared),
        disk_bytes=_disk(prepared),
        rough=trial_seconds is None,
    )


def _asked(cohorts: Sequence[Cohort]) -> list[Asked]:
    return list({id(one.asked): one.asked for one in cohorts}.values())


def flops(size: Size, work: Work) -> float:
    """Floating-point operations of forward passes: 2 per weight and token, 4 per pair and channel.

    Kaplan et al., arXiv 2001.08361, table 1, with attention's pairs counted instead of bounded.
    Slightly too high: the last layer may attend at judged rows only, but is counted in full.
    """
    head = size.hidden * size.vocabulary
    by_token = 2 * (size.multiplied * work.tokens + head * work.judged)
    return float(by_token + 4 * size.attention_width * work.pairs)


def seconds_of(work: Work, observed: Sequence[Observation]) -> float:
    """Seconds of `work`, from observed passes."""
    if not observed:
        return 0.0
    rows = np.array([astuple(one) for one, _ in observed], dtype=np.float64)
    times = np.maximum([seconds for _, seconds in observed], 1e-9)
    weight, scale = 1 / np.sqrt(times), np.maximum(rows.max(axis=0), 1)
    costs, _ = nnls(rows / scale * weight[:, None], times * weight)
    return float((np.array(astuple(work)) / scale) @ costs)


def seconds_per_flop(size: Size, observed: Sequence[Observation]) -> float:
    """Of the quickest observed pass: disturbances only ever add to a pass's seconds."""
    return min(seconds / flops(size, work) for work, seconds in observed)


def _short(engine: Engine, cohort: Cohort, clock: Callable[[], float]) -> list[Observation]:
    """Passes over short ends of one prompt, each separately, and how long they took."""
    long = cohort.passages()[-1]
    ends = [_end_of(long, tokens) for tokens in SHORT_TOKENS]
    return [seen for one in ends for seen in _observed(engine, [one], inf, clock)]


def _trial(
    engine: Engine, cohorts: Sequence[Cohort], seconds: float, clock: Callable[[], float]
) -> list[Observation]:
    """Passes over parts of the first cohort of each probe, and how long they took."""
    found: list[Observation] = []
    firsts = list({id(one.asked): one for one in reversed(cohorts)}.values())
    for cohort in firsts:
        passages = [replace(one, say=0) for one in cohort.passages()]
        share = seconds / len(firsts)
        if engine.way == "Forked":
            few = sorted(passages, key=lambda one: len(one.ids))[:FEW]
            found += _observed(engine, few, share / 2, clock)
            found += _observed(engine, passages, share / 2, clock)
        else:
            cut = [_end_of(passages[-1], tokens) for tokens in CUT_TOKENS]
            found += _observed(engine, cut, share, clock)
    return found


class _TrialOver(Exception):
    """The trial's time is up."""


def _observed(
    engine: Engine, passages: Sequence[Passage], seconds: float, clock: Callable[[], float]
) -> list[Observation]:
    plan, ends = engine.planned(passages), list[float]()

    def note(_tokens: int) -> None:
        if engine.model.device.type == "cuda":
            torch.cuda.synchronize()
        ends.append(clock())
        if ends[-1] - ends[0] > seconds:
            raise _TrialOver

    with suppress(_TrialOver):
        engine.read(passages, note, plan)
    works = [Work.of([step], passages, engine.watches) for step in plan.steps]
    return list(zip(works, np.diff(ends).tolist(), strict=False))


def _end_of(passage: Passage, tokens: int) -> Passage:
    """The last `tokens` tokens of `passage`, and of its answer; only its cost matters."""
    cut = max(0, len(passage.ids) - tokens)
    answer = max(1, passage.answer[0] - cut), passage.answer[1] - cut
    size = 0 if passage.needle is None else passage.needle[1] - passage.needle[0]
    return Passage(passage.ids[cut:], answer, (0, size) if size else None, passage.bands)


def _memory(size: Size, prepared: Prepared) -> int:
    tokens = max(
        sum(piece.stop - piece.start for piece in step)
        for cohort in prepared.cohorts
        for step in cohort.plan.steps
    )
    engine, cohorts = prepared.engine, prepared.cohorts
    slots = max(engine.slots(one.passages(), one.plan) for one in cohorts)
    return held_bytes(size, tokens, slots, prepared.engine.head_rows)


def _disk(prepared: Prepared) -> int:
    parts = {id(one.asked.frozen): one.asked.frozen.parts for one in prepared.cohorts}
    ids = sum(len(part) for own in parts.values() for part in own)
    once = [one for one in prepared.cohorts if one.again is None]
    samples = [one.asked.frozen.samples[n] for one in once for n in one.numbers]
    judged = sum(sample.answer[1] - sample.answer[0] for sample in samples)
    return FLOAT_BYTES * (ids + 2 * judged)
