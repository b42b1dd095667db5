from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from measured import NIAH_ALONE, few
from tiny_checkpoints import a_checkpoint
from tiny_models import a_model
from torch.utils.flop_counter import FlopCounterMode

from lccp.api.objects.report import EvaluationReport
from lccp.api.spec.probes import ProbesSpec
from lccp.probes.probe import Contexts
from lccp.store.file import FileStore
from lccp_evaluator.asked import Prepared
from lccp_evaluator.estimate import estimate, flops, seconds_of
from lccp_evaluator.model.size import Size
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.passes.work import Work
from lccp_evaluator.place import Place
from lccp_evaluator.preparation import Subject, ask, prepare
from lccp_evaluator.progress import Done
from lccp_evaluator.series.checkpoints import CheckpointDirectory
from lccp_evaluator.series.series import EvaluationSeries
from lccp_evaluator.series.settings import SeriesSettings
from lccp_evaluator.series.tokens import Trained

pytestmark = pytest.mark.slow

COSTS = (2e-3, 1e-4, 3e-8, 5e-4, 2e-5, 1e-8)
"""Seconds of a pass, a token, a pair, a piece, a judged row and a watched pair."""


def seconds(work: Work) -> float:
    counts = (work.passes, work.tokens, work.pairs, work.pieces, work.judged, work.watched)
    return sum(cost * count for cost, count in zip(COSTS, counts, strict=True))


def test_costs_are_found_again_from_passes_of_different_kinds() -> None:
    rng = np.random.default_rng(0)
    passes = [
        Work(1, *(int(rng.integers(1, most)) for most in (1_024, 10**6, 30, 200, 10**5)))
        for _ in range(20)
    ]
    all_of_them = Work(900, 800_000, 4 * 10**9, 9_000, 40_000, 10**7)
    found = seconds_of(all_of_them, [(one, seconds(one)) for one in passes])
    assert found == pytest.approx(seconds(all_of_them), rel=0.01)
    assert seconds_of(all_of_them, []) == 0


@pytest.mark.parametrize("model_type", ["llama", "hunyuan_v1_moe", "qwen3"])
def test_operations_are_those_that_torch_counts(model_type: str) -> None:
    model = a_model(model_type)
    ids, judged = torch.arange(40)[None] % 8, 5
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.set_attn_implementation("eager")
        model.set_experts_implementation("eager")  # torch counts no grouped products
        model(ids, logits_to_keep=judged)
    # torch counts eager attention's full square, of which causal attention needs the pairs
    work = Work(passes=1, tokens=40, pairs=40 * 40, judged=judged)
    assert flops(Size.of(model), work) == pytest.approx(counter.get_total_flops(), rel=0.03)


def a_prepared(folder: Path, **niah: Any) -> Prepared:
    """The samples of a tiny model, and the engine for them."""
    subject = Subject(a_checkpoint(folder / "model"), "", few(**niah), Contexts(512, 512, 512))
    with prepare(subject, ask(subject, Place(FileStore(folder), "", "samples/"))) as prepared:
        return prepared


def test_without_a_trial_a_slow_pass_counts_no_more_than_it_was_slow(tmp_path: Path) -> None:
    prepared = a_prepared(tmp_path, lengths=[400, 500])

    def told(*seconds: float) -> float:
        ends = (end for one in seconds for end in (0.0, one))
        return estimate(prepared, clock=lambda: next(ends)).seconds

    quiet = told(0.32, 0.64, 1.92)
    assert quiet > 0
    assert told(0.32, 0.64, 1.3 * 1.92) <= 1.3 * quiet


def test_the_work_of_passages_counts_what_they_share_once() -> None:
    rng = np.random.default_rng(0)
    start = rng.integers(0, 8, 30)
    passages = [
        Passage(np.concatenate((start, rng.integers(0, 8, 10))), (36, 40), (2, 6)) for _ in range(3)
    ]
    engine = Engine(a_model("llama"), "Forked", 16)
    plan = engine.planned(passages)
    work = Work.of(plan.steps, passages, watches=True)
    assert (work.passes, work.tokens, work.pairs) == (len(plan.steps), plan.tokens, plan.pairs)
    assert work.judged == 3 * 4
    assert work.watched > 3 * 4 * 30
    assert Work.of(plan.steps, passages, watches=False).watched == 0
    assert Work.of([], passages, watches=True) == Work()


def test_an_estimate_tells_the_cost_of_the_samples_and_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out"
    model = CheckpointDirectory(a_checkpoint(tmp_path / "model"), Trained(0))
    cost = EvaluationSeries(out, SeriesSettings(few())).estimate(model, trial_seconds=0.5)
    weights = (model.path / "model.safetensors").stat().st_size
    assert (cost.samples, cost.passes) == (20, 6)
    assert cost.tokens < cost.prompt_tokens < 20 * 300
    assert cost.flops > 0
    assert 0 < cost.seconds < 60
    assert 0.9 * weights < cost.memory_bytes < weights + 10**7
    assert list(out.iterdir()) == []


def test_what_is_read_again_with_heads_masked_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablation = {"source": "Niah", "heads": 1, "draws": 2}
    niah = {"lengths": [200, 300], "depthsPercent": [0, 50], "haystacks": 2}
    probes = ProbesSpec.parse(NIAH_ALONE | {"niah": niah, "headAblation": ablation}, "probes")
    series = EvaluationSeries(tmp_path / "out", SeriesSettings(probes))
    model = CheckpointDirectory(a_checkpoint(tmp_path / "model"), Trained(0))
    cost = series.estimate(model, trial_seconds=None)
    read, computed = Engine.read, list[int]()

    def counted(engine: Engine, passages, progress=None, plan=None, masked=()):
        if plan is not None or masked:  # others try the model
            computed.append(engine.planned(passages).tokens)
        return read(engine, passages, plan=plan, masked=masked)

    monkeypatch.setattr(Engine, "read", counted)
    series.evaluate(model, lambda done: None)
    assert cost.tokens == sum(computed)
    assert len(computed) > 3 * 2


def test_what_keys_are_chosen_from_is_counted_until_they_are_chosen(tmp_path: Path) -> None:
    texts = {"texts": {"language": "English"}, "documents": 2, "length": 200}
    keys = texts | {"minGain": "0.001", "maxNll": "20"}
    without = {"niah": {"enabled": False}, "longPpl": keys} | NIAH_ALONE
    series = EvaluationSeries(tmp_path / "out", SeriesSettings(ProbesSpec.parse(without, "probes")))
    model = CheckpointDirectory(a_checkpoint(tmp_path / "model"), Trained(0))
    before = series.estimate(model, trial_seconds=None)
    done: list[Done] = []
    assert isinstance(series.evaluate(model, done.append), EvaluationReport)
    after = series.estimate(model, trial_seconds=None)

    assert after.prompt_tokens == 2 * 200
    assert before.samples == after.samples == 2
    assert before.passes > after.passes
    windows = 8 * 100 // 25  # as many of 100 tokens as judge the second half of two documents
    assert before.prompt_tokens == 4 * 200 + windows * 100 / 4
