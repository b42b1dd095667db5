"""One step over a global batch."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from plain_engine import VOCABULARY, Bigrams, PlainEngine, a_training, alone

from lccp.cost.layout import Layout, StepShape
from lccp_trainer import stepping
from lccp_trainer.control import Asked, Stop
from lccp_trainer.data.stream import Batch, Totals
from lccp_trainer.objectives.losses import LossTable
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import IGNORED, following, shards
from lccp_trainer.stepping import Step, Stepper

ROWS, LENGTH = 4, 16
NOTHING = Asked()


def a_batch(predicted: bool = True) -> Batch:
    """Rows of random tokens; in half of them few are predicted, if so asked."""
    rng = np.random.default_rng(5)
    counted = np.ones((ROWS, LENGTH), dtype=np.bool_)
    counted[:2, 5:] = predicted
    tokens = rng.integers(0, VOCABULARY, (ROWS, LENGTH)).astype(np.int32)
    positions = np.tile(np.arange(LENGTH, dtype=np.int32), (ROWS, 1))
    return with_totals(Batch(tokens, positions, predicted=counted))


def with_totals(batch: Batch) -> Batch:
    """The batch, with what its rows say of the step."""
    predicted = following(batch.tokens, batch.positions, batch.predicted) != IGNORED
    return replace(batch, totals=Totals(int(predicted.sum()), int(batch.positions.sum())))


def stepper(micro_batch_rows: int, **training: Any) -> Stepper:
    shape = StepShape(ROWS, LENGTH, Layout(1), micro_batch_rows)
    settings = a_training(**training)
    engine = PlainEngine(Bigrams(), settings, shape.accumulation_steps)
    groups = Groups(shape.layout, 0, None)
    return Stepper(engine, settings, shape, groups, torch.device("cpu"))


def step(
    made_by: Stepper, batch: Batch, tokens: int = 64, asked: Asked = NOTHING, **how: Any
) -> Step:
    with alone():
        return made_by.step(batch, tokens, lambda: asked, **how)


def weights(of: Stepper) -> torch.Tensor:
    return of.engine.module.model.logits.detach().clone()


@pytest.mark.parametrize("micro_batch_rows", [1, 2])
def test_the_loss_and_the_step_are_those_of_all_predicted_tokens_at_once(
    micro_batch_rows: int,
) -> None:
    whole, parts = stepper(ROWS), stepper(micro_batch_rows)
    batch = a_batch(predicted=False)

    expected, found = step(whole, batch), step(parts, batch)

    assert found.loss == pytest.approx(expected.loss)
    assert found.gradient_norm == pytest.approx(expected.gradient_norm)
    assert torch.allclose(weights(parts), weights(whole))
    fresh = Bigrams()
    (shard,) = shards(batch, whole.shape, whole.groups, whole.device)
    counted = int((shard.targets != IGNORED).sum())
    assert expected.loss == pytest.approx(fresh(shard)[0].item() / counted)


def test_a_step_in_which_nothing_is_predicted_is_not_finite() -> None:
    nothing = replace(a_batch(), totals=Totals(predicted=0, preceding=0))

    assert not step(stepper(2), nothing).finite


def test_documents_are_told_as_long_as_a_row_that_costs_as_much_attention() -> None:
    whole, halves = a_batch(), a_batch()
    halves.positions[:] %= LENGTH // 2

    assert step(stepper(1), whole).document_length == LENGTH
    assert step(stepper(1), with_totals(halves)).document_length == LENGTH // 2
    halves.positions[:2] = whole.positions[:2]
    assert step(stepper(2), with_totals(halves)).document_length == 3 * LENGTH // 4


def test_a_rate_follows_the_schedule_by_tokens() -> None:
    made = stepper(ROWS, schedule={"warmupTokens": 640})

    assert step(made, a_batch(), tokens=64).learning_rate == pytest.approx(0.05)
    assert made.engine.optimizer.param_groups[0]["lr"] == pytest.approx(0.05)


def test_a_batch_that_stands_out_is_left_out_and_its_step_counts_as_finite() -> None:
    made, seen = stepper(2), list[float]()
    before = weights(made)

    skipped = step(made, a_batch(), stands_out=lambda loss: bool(seen.append(loss) or True))

    assert (skipped.skipped, skipped.finite, skipped.gradient_norm) == (True, True, None)
    assert seen == [skipped.loss]
    assert torch.equal(weights(made), before)


@pytest.mark.parametrize("stands_out", [None, lambda loss: False])
def test_a_forward_pass_waits_for_no_rank_and_a_backward_pass_only_if_the_loss_decides(
    stands_out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, done = stepper(ROWS), list[str]()
    work = SimpleNamespace(wait=lambda: done.append("waited"))
    monkeypatch.setattr(stepping.dist, "all_reduce", lambda own, async_op: work)
    backward = made.engine.backward
    made.engine.backward = lambda loss: done.append("backward") or backward(loss)
    made.engine.module.register_forward_hook(lambda *_: done.append("forward"))

    step(made, a_batch(), stands_out=stands_out)

    forward, *after = done
    assert forward == "forward"
    assert after[0] == ("backward" if stands_out is None else "waited")
    assert after[-1] == "waited"


def test_what_meters_count_is_summed_over_the_ranks_with_the_loss_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made, sums, all_reduce = stepper(2), list[torch.Tensor](), stepping.dist.all_reduce
    table = LossTable(1, [0, LENGTH], torch.device("cpu"))
    made.engine.module.meters = [table]
    made.engine.module.register_forward_hook(
        lambda _, inputs, output: table.add(*inputs, torch.ones(inputs[0].targets.shape))
    )

    def counted(own: torch.Tensor, async_op: bool) -> Any:
        sums.append(own)
        return all_reduce(own, async_op=async_op)

    monkeypatch.setattr(stepping.dist, "all_reduce", counted)
    for steps in (1, 2):
        step(made, a_batch())
        assert len(sums) == steps
    assert table.take().predicted.tolist() == [[2 * ROWS * (LENGTH - 1)]]


@pytest.mark.parametrize(
    ("loss", "norm", "finite"), [(1.0, 1.0, True), (1.0, None, False), (math.nan, 1.0, False)]
)
def test_a_step_is_finite_if_loss_and_gradient_are(
    loss: float, norm: float | None, finite: bool
) -> None:
    assert Step(loss, 0.1, norm, Asked(), 16.0).finite is finite


def test_what_a_rank_is_asked_for_is_told_with_the_step() -> None:
    asked = Asked(Stop.DRAIN, save=True)

    assert step(stepper(ROWS), a_batch(), asked=asked).asked == asked


def test_what_is_random_follows_from_the_place_of_the_step() -> None:
    made, drawn = stepper(ROWS), list[float]()
    for tokens in (64, 128, 64):
        step(made, a_batch(), tokens)
        drawn.append(torch.rand(()).item())

    assert drawn[0] == drawn[2] != drawn[1]
