"""A model chooses tokens of samples, once, before the samples are frozen."""

from collections.abc import Sequence
from functools import partial

from lccp.contract.base import Contract
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.passes.work import Work
from lccp_evaluator.probes.measurement import KeyChoice, Turns
from lccp_evaluator.progress import Progress, ReportedProgress, Share
from lccp_evaluator.sampling.samples import FrozenSamples


def turns_of(choice: KeyChoice, frozen: FrozenSamples, settings: Contract) -> list[Turns]:
    """The turns that a model must read of every sample."""
    return [choice.turns(frozen, sample, settings) for sample in frozen.samples]


def read(engine: Engine, samples: Sequence[Turns], progress: Progress) -> list[list[list[Reading]]]:
    """The readings of every sample's turns; `progress` reports only on these."""
    plans = [[engine.planned(passages) for passages in turns] for turns in samples]
    told = ReportedProgress(
        [Share(1, sum(plan.tokens for plan in own)) for own in plans], (), progress
    )
    found = []
    for number, (turns, own) in enumerate(zip(samples, plans, strict=True)):
        computed, pairs = partial(told.computed, number), zip(turns, own, strict=True)
        found.append([engine.read(passages, computed, plan) for passages, plan in pairs])
        told.finished(number)
    return found


def work_of(engine: Engine, samples: Sequence[Turns]) -> Work:
    """The cost of `read`."""
    passages = [one for turns in samples for one in turns]
    return sum((engine.work(one, engine.planned(one)) for one in passages), Work())
