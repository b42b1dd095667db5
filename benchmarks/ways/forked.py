"""The evaluator's own way, and between its passes the rate of the model's own matrices."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from ways.cost import Cost, costing
from ways.task import Outcome, Task, passages

if TYPE_CHECKING:
    import torch

PASSES_FOR_A_TRIAL = 4


@dataclass(frozen=True)
class Floor:
    """Operations that the grid needs, and the processor seconds that they take as bare products."""

    flops: float
    cpu_seconds: float


def forked(task: Task) -> tuple[Outcome, Floor]:
    """Perplexity and heads of the whole grid by the engine, and the floor of its operations."""
    from lccp_evaluator.estimate import flops
    from lccp_evaluator.model.size import Size
    from lccp_evaluator.passes.work import Work

    engine = _engine(task)
    asked = passages(task, task.depths)
    given = list(asked.values())
    plan = engine.planned(given)
    trials = Trials(_products(engine.model, engine.step_tokens))
    with costing() as cost:
        readings = engine.read(given, trials.after_a_pass, plan)
    done = flops(Size.of(engine.model), Work.of(plan.steps, given, engine.watches))
    own = Cost(
        cost.seconds - trials.seconds, cost.cpu_seconds - trials.cpu_seconds, cost.memory_mib
    )
    nll = {number: float(r.nll.mean()) for number, r in zip(asked, readings, strict=True)}
    copied = [(reading.copied >= 0).mean(axis=-1) for reading in readings]
    return (
        Outcome(own, nll, np.mean(copied, axis=0).tolist()),
        Floor(done, done / trials.flops_per_cpu_second),
    )


def memory_at(task: Task) -> tuple[Cost, float]:
    """The cost of only the longest sample, and the MiB that it must hold: keys, values, logits of
    its answer and the activations of a pass.
    """
    from lccp_evaluator.model.memory import held_bytes
    from lccp_evaluator.model.size import Size

    engine = _engine(task)
    longest = max(passages(task, task.depths).values(), key=lambda one: len(one.ids))
    with costing() as cost:
        engine.read([longest])
    size, (start, stop) = Size.of(engine.model), longest.answer
    held = held_bytes(size, engine.step_tokens, len(longest.ids), head_rows=stop - start)
    return cost, (held - size.weight_bytes) / 2**20


def _engine(task: Task):  # type: ignore[no-untyped-def]
    from lccp_evaluator.model.execution import ExecutionPlan
    from lccp_evaluator.model.loading import load_model
    from lccp_evaluator.passes.engine import Engine

    plan = ExecutionPlan.here()
    return Engine(load_model(task.model, plan).model, "Forked", plan.step_tokens)


@dataclass
class Trials:
    """Bare products, timed between the passes; their time is not counted for the engine."""

    products: Callable[[], float]
    passes: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def after_a_pass(self, _tokens: int) -> None:
        self.passes += 1
        if self.passes % PASSES_FOR_A_TRIAL == 1:
            start = time.monotonic(), time.process_time()
            self.flops += self.products()
            self.seconds += time.monotonic() - start[0]
            self.cpu_seconds += time.process_time() - start[1]

    @property
    def flops_per_cpu_second(self) -> float:
        return self.flops / self.cpu_seconds


def _products(model: "torch.nn.Module", rows: int) -> Callable[[], float]:
    """Multiplies `rows` rows by the weights of a layer, and returns the number of operations."""
    import torch

    layers = next(m for m in model.modules() if isinstance(m, torch.nn.ModuleList))
    weights = [w for w in layers[0].parameters() if w.ndim == 2]
    inputs = {w.shape[1]: torch.randn(rows, w.shape[1], dtype=w.dtype) for w in weights}

    def multiply() -> float:
        with torch.inference_mode():
            for weight in weights:
                torch.nn.functional.linear(inputs[weight.shape[1]], weight)
        return float(sum(2 * rows * weight.numel() for weight in weights))

    return multiply
