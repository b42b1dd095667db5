from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch
from measured import few
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp.store.file import FileStore
from lccp_evaluator.estimate import EvaluationCost
from lccp_evaluator.evaluation import Announce
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Reading
from lccp_evaluator.passes.step import Step
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained
from lccp_evaluator.unfinished import Unfinished

pytestmark = pytest.mark.slow


class World:
    """A checkpoint that is measured repeatedly, haystack by haystack."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        a_checkpoint(folder / "model")
        self.folder = folder
        self.read: list[int] = []
        self.told: list[Done] = []
        whole = Engine.read

        def counted(engine: Engine, passages, progress=lambda tokens: None, plan=None, masked=()):
            if plan is not None:  # others try the model
                self.read.append(len(passages))
            return whole(engine, passages, progress, plan, masked)

        monkeypatch.setattr(Engine, "read", counted)

    def evaluate(
        self,
        out: str,
        until: float = 2.0,
        announce: Announce | None = None,
        probes: ProbesSpec | None = None,
    ) -> EvaluationReport | EvaluationFailure:
        """The checkpoint measured into `out`, until a share is done."""
        self.read.clear()
        self.told.clear()

        def told(done: Done) -> None:
            self.told.append(done)
            if done.samples and done.share >= until:
                raise InterruptedError

        path = self.folder / "model"
        series = EvaluationSeries(self.folder / out, SeriesSettings(probes or few()))
        return series.evaluate(CheckpointDirectory(path, Trained(0)), told, announce)

    def kept(self, out: str) -> list[Path]:
        return list((self.folder / out).rglob("unfinished-*"))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(tmp_path, monkeypatch)


class Whole:
    """What the checkpoint comes to if nothing interrupts its evaluation."""

    def __init__(self, folder: Path) -> None:
        with pytest.MonkeyPatch.context() as monkeypatch:
            world = World(folder, monkeypatch)
            report = world.evaluate("whole")
        assert isinstance(report, EvaluationReport)
        self.probes, self.read = report.probes, world.read


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    return Whole(tmp_path_factory.mktemp("whole"))


def test_an_interrupted_evaluation_goes_on_where_it_was(world: World, whole: Whole) -> None:
    assert isinstance(world.evaluate("out", until=0.4), EvaluationFailure)
    assert (len(world.read), len(world.kept("out"))) == (2, 1)
    resumed, read = world.evaluate("out"), len(world.read)
    assert isinstance(resumed, EvaluationReport)
    assert world.kept("out") == []
    assert read == len(whole.read) - 1
    assert resumed.probes == whole.probes


def test_smaller_passes_that_memory_required_are_resumed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = Step.inputs

    def exceeding(step: Step, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        if len(world.read) > 1 and step.pieces[-1].rows.stop > 100:  # not the first haystack's
            raise MemoryError
        return inputs(step, device)

    monkeypatch.setattr(Step, "inputs", exceeding)
    whole = world.evaluate("whole")
    assert isinstance(whole, EvaluationReport)
    assert isinstance(world.evaluate("out", until=0.9), EvaluationFailure)
    kept = len(world.kept("out"))

    resumed = world.evaluate("out")

    assert isinstance(resumed, EvaluationReport)
    assert kept == 3
    assert len(world.read) == 1
    assert resumed.execution_plan == whole.execution_plan
    assert resumed.probes == whole.probes


def test_what_was_read_before_is_done_from_the_start_and_costs_nothing(world: World) -> None:
    costs: list[EvaluationCost] = []
    world.evaluate("out", until=0.4, announce=costs.append)
    world.evaluate("out", announce=costs.append)
    start, end, (whole, rest) = world.told[0], world.told[-1], costs
    assert 0 < start.share < 1
    assert start.share == pytest.approx(1 - rest.tokens / whole.tokens)
    assert start.samples == whole.samples - rest.samples > 0
    assert (end.samples, end.share) == (whole.samples, 1)


def test_what_was_read_again_with_heads_masked_is_kept_and_shown_too(world: World) -> None:
    probes = ablating(heads=1)
    whole = world.evaluate("whole", probes=probes)
    cohorts, end = len(world.read), world.told[-1]
    assert isinstance(whole, EvaluationReport)
    assert (end.samples, end.total, end.share) == (sum(world.read), sum(world.read), 1)
    assert [done.share for done in world.told] == sorted(done.share for done in world.told)

    assert isinstance(world.evaluate("out", until=0.8, probes=probes), EvaluationFailure)
    kept = len(world.kept("out"))
    resumed = world.evaluate("out", probes=probes)

    assert isinstance(resumed, EvaluationReport)
    assert 2 < kept < cohorts  # those of the two haystacks, and some that were masked
    assert len(world.read) == cohorts - kept
    assert resumed.probes == whole.probes


def test_what_was_read_with_other_heads_masked_is_not_taken(world: World) -> None:
    assert isinstance(world.evaluate("out", until=0.8, probes=ablating(heads=1)), EvaluationFailure)
    other = ablating(heads=2)
    assert isinstance(world.evaluate("out", until=0.1, probes=other), EvaluationFailure)

    resumed, whole = world.evaluate("out", probes=other), world.evaluate("whole", probes=other)

    assert isinstance(resumed, EvaluationReport)
    assert resumed.probes == whole.probes


def ablating(heads: int) -> ProbesSpec:
    """Samples of two haystacks, read once and then with two sets of heads masked."""
    ablation = {"source": "Niah", "heads": heads, "draws": 1}
    return ProbesSpec.parse(few().document() | {"headAblation": ablation}, "probes")


def test_what_was_read_once_is_kept_where_other_heads_are_to_be_masked(world: World) -> None:
    first = world.evaluate("whole")
    assert isinstance(first, EvaluationReport)
    once = len(world.read)
    assert isinstance(world.evaluate("out", until=0.8, probes=ablating(heads=1)), EvaluationFailure)
    assert len(world.kept("out")) > once

    other = world.evaluate("out", probes=ablating(heads=2))

    assert isinstance(other, EvaluationReport)
    read = len(world.read)
    whole = world.evaluate("other", probes=ablating(heads=2))
    assert other.probes == whole.probes
    assert read == len(world.read) - once
    assert world.kept("out") == []


def test_what_was_read_of_another_model_is_not_taken(world: World) -> None:
    world.evaluate("out", until=0.4)
    (before,) = world.kept("out")
    a_checkpoint(world.folder / "model", seed=1)
    world.evaluate("out", until=0.4)
    (after,) = world.kept("out")
    assert before.name != after.name
    resumed, whole = world.evaluate("out"), world.evaluate("whole")
    assert resumed.probes == whole.probes


@pytest.mark.parametrize("left", [0, 100, -30])
def test_what_is_damaged_is_read_again(world: World, whole: Whole, left: int) -> None:
    world.evaluate("out", until=0.4)
    (kept,) = world.kept("out")
    kept.write_bytes(kept.read_bytes()[:left])
    resumed, read = world.evaluate("out"), len(world.read)
    assert isinstance(resumed, EvaluationReport)
    assert read == len(whole.read)
    assert resumed.probes == whole.probes


def test_readings_of_any_shape_are_kept_as_they_are(tmp_path: Path) -> None:
    def reading(tokens: int, layers: int) -> Reading:
        values = np.arange(1, 1 + layers * 2 * tokens)
        watched = values.reshape(layers, 2, tokens).astype(np.int16)
        return Reading(
            nll=np.arange(tokens, dtype=np.float32),
            is_arg_max=np.arange(tokens) % 2 == 0,
            copied=watched,
            mass=watched[..., 0].astype(np.float32),
            sees=watched[:, 0] > 1,
            load=watched.astype(np.int64) if tokens > 2 else np.zeros((0, 0, 0), np.int64),
        )

    readings = [reading(3, 2), reading(2, 2), reading(4, 0)]
    unfinished = Unfinished(FileStore(tmp_path), "", "digest", ["0"])

    unfinished.put(0, readings)
    found = unfinished.get(0)

    assert found is not None
    for one, other in zip(found, readings, strict=True):
        for field in fields(Reading):
            got, wanted = getattr(one, field.name), getattr(other, field.name)
            assert (got.shape, got.dtype) == (wanted.shape, wanted.dtype), field.name
            assert (got == wanted).all()
