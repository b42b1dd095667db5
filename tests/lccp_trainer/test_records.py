"""What a rank reports of its steps."""

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from lccp.api.objects.training import RouterLoad, Spike, StepRecord
from lccp_trainer import records
from lccp_trainer.control import Asked
from lccp_trainer.data.packing import Position
from lccp_trainer.objectives import routing
from lccp_trainer.objectives.losses import Losses, LossTable
from lccp_trainer.objectives.routing import Routing
from lccp_trainer.records import SPIKES_SHOWN, Recorder, peak_memory_bytes
from lccp_trainer.state.progress import Point
from lccp_trainer.stepping import Step

CPU = torch.device("cpu")


class Told:
    """Notes what is reported."""

    def __init__(self) -> None:
        self.beat: dict[str, Any] = {}
        self.lines: list[StepRecord] = []
        self.loads: list[RouterLoad | None] = []

    def update(self, **changes: Any) -> None:
        self.beat |= changes

    def record(self, step: StepRecord, load: RouterLoad | None = None) -> None:
        self.lines.append(step)
        self.loads.append(load)


class Tally:
    """Of two layers, one band and two experts."""

    taken = 0

    def take(self) -> Routing:
        self.taken += 1
        layers = torch.tensor([[0.123456], [0.5]])
        return Routing(torch.tensor([[[0.25, 0.75]], [[1.0, 0.0]]]), layers)


class Table:
    """Of two sources, of which the second was not read, and two bands."""

    taken = 0

    def take(self) -> Losses:
        self.taken += 1
        nll, predicted = torch.tensor([[4.0, 1.0], [0.0, 0.0]]), torch.tensor([[3, 1], [0, 0]])
        return Losses((0, 64, 128), nll, predicted)


def a_recorder(routers: Any = None, every: int = 1, **fields: Any) -> tuple[Recorder, Told]:
    told = Told()
    parts = {
        "sources": ("long", "short"),
        "epochs": lambda position: {"long": 0.5, "short": 0.25},
        "processes": 1,
        "flops_per_token": None,
        "device_name": None,
    } | fields
    engine = SimpleNamespace(module=SimpleNamespace(routers=routers, losses=Table()))
    return Recorder(engine, cast(Any, told), every, 100, **parts), told


def at(step: int) -> Point:
    return Point(step, step * 100, Position((step * 100,), ()))


STEP = Step(2.0, learning_rate=0.1, gradient_norm=1.5, asked=Asked(), document_length=64.0)
SPIKE = Spike(step=3, tokens=300, signal="Loss", value=9.0, median=2.0, action="Recorded")


def test_every_so_many_steps_have_a_line_and_a_spike_has_one_always() -> None:
    recorder, told = a_recorder(every=2)
    for step, spike in ((1, None), (2, None), (3, SPIKE), (4, None)):
        recorder.record(STEP, at(step), spike)

    assert [line.step for line in told.lines] == [2, 3, 4]
    assert told.lines[1].spike == SPIKE
    assert told.beat["step"] == 4
    assert (told.beat["spikes"], told.beat["spikes_total"]) == ((SPIKE,), 1)


def test_of_many_spikes_the_newest_are_shown_and_all_counted() -> None:
    recorder, told = a_recorder()
    spikes = [SPIKE.model_copy(update={"step": step}) for step in range(1, 31)]
    for spike in spikes:
        recorder.record(STEP, at(spike.step), spike)

    assert told.beat["spikes_total"] == 30
    assert told.beat["spikes"] == tuple(spikes[-SPIKES_SHOWN:])


def test_the_rate_is_that_of_the_last_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(records.time, "monotonic", lambda: now[0])
    recorder, told = a_recorder(flops_per_token=lambda length: 1e9, device_name=None)
    recorder.begin()
    for step in range(1, 16):
        now[0] += 50.0 if step == 1 else 2.0
        recorder.record(STEP, at(step), None)
        if step == 1:
            assert told.beat["tokens_per_second"] == 2.0

    assert told.beat["tokens_per_second"] == 50.0
    assert told.beat["mfu"] is None
    assert told.lines[-1].tokens_per_second == 50.0


def test_the_utilisation_is_that_of_a_device_and_of_attention_within_documents(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr(records.time, "monotonic", lambda: now[0])
    recorder, told = a_recorder(
        processes=4, flops_per_token=lambda length: 989e10 * length, device_name="NVIDIA H100"
    )
    recorder.begin()
    now[0] = 0.5
    recorder.record(STEP, at(1), None)

    assert told.beat["tokens_per_second"] == 200
    assert told.beat["mfu"] == pytest.approx(200 * 64 / 100 / 4)


def test_a_loss_that_is_not_finite_is_no_number_of_the_heartbeat() -> None:
    recorder, told = a_recorder()
    recorder.record(replace(STEP, loss=math.nan, gradient_norm=None), at(1), None)

    assert told.beat["loss"] is None
    assert math.isnan(told.lines[0].loss)


def test_a_source_that_was_not_read_has_no_loss_and_epochs_are_of_the_position() -> None:
    recorder, told = a_recorder(epochs=lambda position: {"long": position.tokens[0] / 400})
    recorder.record(STEP, at(2), None)

    assert told.lines[0].loss_by_source == told.beat["loss_by_source"] == {"long": 1.25}
    assert told.beat["epochs"] == {"long": 0.5}


def test_where_tokens_stand_in_their_documents_is_told_by_position() -> None:
    recorder, told = a_recorder()
    recorder.record(STEP, at(1), None)

    shares = [(one.start, one.end, one.share) for one in told.beat["position_shares"]]
    assert shares == [(0, 64, 0.75), (64, 128, 0.25)]


def test_what_routers_did_is_rounded_and_told_by_band() -> None:
    tally = Tally()
    recorder, told = a_recorder(SimpleNamespace(tally=tally), every=2)
    for step in (1, 2):
        recorder.record(STEP, at(step), None)

    assert tally.taken == 1
    router = told.lines[0].router
    assert router is not None
    assert router.entropy == ((0.1235, 0.5),)
    assert router.busiest_share == ((0.75, 1.0),)
    assert (router.experts, router.experts_per_token) == (2, 1)
    (load,) = told.loads
    assert load is not None
    assert load.load == (((0.25, 0.75), (1.0, 0.0)),)


def test_a_line_waits_for_no_other_rank(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was summed over the ranks came with the step."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda sums: pytest.fail("a rank waits"))
    recorder, told = a_recorder(SimpleNamespace(tally=routing.Tally(1, 2, CPU)))
    recorder.engine.module.losses = LossTable(2, (0, 64, 128), CPU)
    recorder.record(STEP, at(1), None)

    assert len(told.lines) == 1


def test_a_rank_that_reports_nothing_records_nothing() -> None:
    recorder, told = a_recorder()
    recorder.reporter = None

    recorder.say("Saving")
    recorder.record(STEP, at(1), SPIKE)

    assert told.beat == {}


@pytest.mark.slow
def test_memory_is_counted_in_bytes() -> None:
    assert 10**7 < peak_memory_bytes() < 10**12
