"""The loss on held-out documents: every token once, in its source and band, by any rank."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from plain_engine import VOCABULARY, Bigrams

from lccp.api.objects.losses import HeldOutCell
from lccp.cost.layout import Layout, StepShape
from lccp_trainer.data.packing import Piece
from lccp_trainer.objectives.held_out import HeldOut, HeldOutMeter, cells_of
from lccp_trainer.objectives.losses import LossTable
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.parallel.attention import DocumentLayout
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import Shard

ROW, CONTEXT = 8, 4
CPU = torch.device("cpu")


class Texts(list[Any]):
    """The tokens of the documents of a source."""

    def read(self, number: int, start: int, end: int) -> Any:
        return self[number][start:end]


RNG = np.random.default_rng(0)
LONG = Texts(RNG.integers(1, VOCABULARY, n) for n in (8, 6))
SHORT = Texts(RNG.integers(1, VOCABULARY, n) for n in (3, 2, 4))
ROWS = [
    [Piece(0, 0, 0, 8)],
    [Piece(0, 1, 0, 6), Piece(1, 1, 0, 2)],
    [Piece(1, 2, 0, 4), Piece(1, 0, 0, 3)],
]
HELD_OUT = HeldOut(("long", "short"), cast(Any, (LONG, SHORT)), ROWS, CONTEXT)


class Measured(Pretraining):
    """The objective around a model that sees the token before alone."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.bigrams = Bigrams()
        self.losses: LossTable | None = None
        self.asked: list[tuple[bool, bool]] = []

    def forward(self, shard: Shard) -> Any:
        self.asked.append((self.training, torch.is_grad_enabled()))
        logits = self.bigrams.model.logits[shard.tokens] + self.bigrams.model.bias
        target = shard.targets.clamp(min=0)[..., None]
        nll = -logits.log_softmax(2).gather(2, target).squeeze(2)
        assert self.losses is not None
        self.losses.add(shard, nll)
        return nll.sum(), None


class Engine:
    def __init__(self) -> None:
        self.module = Measured().train()

    def __call__(self, shard: Shard) -> Any:
        return self.module(shard)


def measured(processes: int = 1, micro_batch_rows: int = 1) -> dict[tuple[str, str], list[float]]:
    """By source and band, predicted tokens and NLL, summed over ranks that act in turn."""
    layout = Layout(processes)
    shape = StepShape(processes * micro_batch_rows * 4, ROW, layout, micro_batch_rows)
    found: dict[tuple[str, str], list[float]] = {}
    for rank in range(processes):
        meter = HeldOutMeter(Engine(), HELD_OUT, shape, Groups(layout, rank, None), CPU, int)
        for cell in meter(100).cells:
            sums = found.setdefault((cell.source, cell.band), [0, 0.0])
            sums[0] += cell.predicted_tokens
            sums[1] += cell.predicted_tokens * cell.loss
    return found


def expected() -> dict[tuple[str, str], list[float]]:
    """The same by hand: each document by itself."""
    model, found = Bigrams().model, dict[tuple[str, str], list[float]]()
    table = (model.logits + model.bias).detach().log_softmax(1)
    for name, texts in (("long", LONG), ("short", SHORT)):
        for text in texts:
            for position in range(1, len(text)):
                band = "within" if position < CONTEXT else "beyond"
                sums = found.setdefault((name, band), [0, 0.0])
                sums[0] += 1
                sums[1] -= float(table[text[position - 1], text[position]])
    return found


@pytest.mark.parametrize(("processes", "micro_batch_rows"), [(1, 1), (1, 4), (2, 1), (2, 2)])
def test_every_token_counts_once_whatever_the_layout(processes: int, micro_batch_rows: int) -> None:
    found = measured(processes, micro_batch_rows)
    assert (
        found.keys()
        == expected().keys()
        == {
            ("long", "within"),
            ("long", "beyond"),
            ("short", "within"),
        }
    )
    for cell, sums in expected().items():
        assert found[cell] == pytest.approx(sums, rel=1e-5)


def test_every_rank_makes_as_many_passes() -> None:
    shape = StepShape(4, ROW, Layout(2), 1)
    batches = [list(HELD_OUT.batches(shape, rank)) for rank in range(2)]
    assert len(batches[0]) == len(batches[1]) == 1
    last = batches[1][0]
    assert last.predicted is not None
    assert last.predicted.any(axis=1).tolist() == [True, False]
    assert (HELD_OUT.documents, HELD_OUT.tokens) == (5, 23)


def test_it_trains_nothing_and_leaves_what_was_counted_of_the_training_alone() -> None:
    engine, alive = Engine(), []
    own = LossTable(1, [0, ROW], CPU)
    engine.module.losses = own
    groups = Groups(Layout(1), 0, None)
    shape = StepShape(1, ROW, Layout(1), 1)
    told = HeldOutMeter(engine, HELD_OUT, shape, groups, CPU, lambda: alive.append(1))(700)
    assert told.tokens == 700
    assert engine.module.asked == [(False, False)] * 3
    assert len(alive) == 3
    assert engine.module.losses is own
    assert engine.module.training
    own.exchange()
    assert own.take().predicted.sum() == 0


def test_without_an_extension_there_is_one_band() -> None:
    shape, groups = StepShape(1, ROW, Layout(1), 1), Groups(Layout(1), 0, None)
    held_out = HeldOut(HELD_OUT.names, HELD_OUT.shards, ROWS, ROW)
    cells = HeldOutMeter(Engine(), held_out, shape, groups, CPU, int)(0).cells
    assert [(cell.source, cell.band) for cell in cells] == [("long", "within"), ("short", "within")]


def test_a_cell_without_predicted_tokens_is_left_out() -> None:
    table = LossTable(2, [0, 4, 8], CPU)
    shard = Shard(*[torch.tensor([[5]])] * 2, torch.tensor([[6]]), DocumentLayout(()))
    table.add(shard, torch.tensor([[2.5]]))
    table.exchange()
    assert cells_of(table.take(), ("long", "short")) == (
        HeldOutCell(source="long", band="beyond", predicted_tokens=1, loss=2.5),
    )
