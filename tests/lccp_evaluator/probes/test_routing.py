"""Load of experts against the routers' own weights, by hooks of plain eager transformers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from full_logits import Read
from measured import measured
from tiny_checkpoints import a_checkpoint
from tiny_models import a_model
from torch import nn
from transformers import AutoModelForCausalLM

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.routing import BANDS
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.probes import routing

EVALUATION = "evaluations/000000000000000/intrinsic"
SOURCE, TARGET, EXPERTS = 150, 300, 4
ROUTED = 2
"""Experts of each token."""
PROBES = {
    "niah": {
        "lengths": [TARGET],
        "depthsPercent": [20, 70],
        "haystacks": 2,
        "needlesPerHaystack": 2,
    },
    "bio": {"enabled": False},
    "retrievalHeads": {"enabled": False},
    "routing": {},
}


def _choices(model: nn.Module, ids: np.ndarray) -> np.ndarray:
    """Experts [layers, L, k] with the routers' largest logits."""
    found: list[np.ndarray] = []

    def note(router: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        weight = router.wg.weight if hasattr(router, "wg") else router.weight
        logits = nn.functional.linear(given[0].reshape(-1, weight.shape[1]), weight)
        found.append(logits.topk(ROUTED).indices.numpy())

    hooks = [
        module.register_forward_pre_hook(note)
        for name, module in model.named_modules()
        if name.endswith("mlp.gate")
    ]
    with torch.no_grad():
        model(torch.tensor(ids[None].astype(np.int64)))
    for hook in hooks:
        hook.remove()
    return np.stack(found)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["hunyuan_v1_moe", "qwen3_moe", "mixtral"])
def test_loads_are_those_of_the_routers_own_weights(family: str, tmp_path: Path) -> None:
    folder = a_checkpoint(tmp_path / "model", model_type=family, max_position_embeddings=TARGET)
    spec = ProbesSpec.parse(PROBES, "probes")
    report = measured(folder, tmp_path / "out", spec, SOURCE)
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    samples = Read(None, tmp_path / "out", "niah")
    entropy, busiest, shift, loads = [], [], [], []
    for haystack in (0, 1):
        longest = next(s for s in samples.samples if s.labels.get("haystack") == haystack)
        ids = np.array(samples.ids(longest))
        assert len(ids) == TARGET
        far = np.arange(TARGET) >= SOURCE  # where a band begins
        for layer in _choices(model, ids):
            load, beyond, within = (
                np.bincount(part.ravel(), minlength=EXPERTS) / part.size
                for part in (layer, layer[far], layer[~far])
            )
            used = load[load > 0]
            entropy.append(-(used * np.log(used)).sum() / np.log(EXPERTS))
            busiest.append(load.max())
            shift.append(np.abs(beyond - within).sum() / 2)
            loads.append(load)
    expected = {"routing_entropy": entropy, "routing_busiest": busiest, "routing_shift": shift}
    for name, values in expected.items():
        signal = report.signal(name)
        assert signal is not None
        assert signal.value == pytest.approx(np.mean(values), abs=1e-9)
        assert len(signal.by_cluster["haystack"]) == signal.n == 2
    with np.load(tmp_path / "out" / EVALUATION / "routing.npz", allow_pickle=False) as details:
        by_layer = np.reshape(loads, (2, -1, EXPERTS)).mean(axis=0)
        np.testing.assert_allclose(details["load"], by_layer, atol=1e-9)
        assert details["busiest"].shape == (len(by_layer), BANDS)


def _passages() -> list[Passage]:
    """Three passages that begin alike, two of them routed."""
    ids = np.random.default_rng(0).integers(3, 90, 70)
    turned = np.concatenate((ids[:30], ids[30:][::-1]))
    routed = [Passage(one, (len(one) - 5, len(one)), bands=4) for one in (ids[:50], turned)]
    return [Passage(ids, (60, 70)), *routed]


def test_passages_that_share_a_beginning_have_the_loads_that_they_have_alone() -> None:
    model = a_model("qwen3_moe")
    forked, whole = (Engine(model, way, 16).read(_passages()) for way in ("Forked", "Whole"))
    assert [one.load.shape for one in forked] == [(0, 0, 0), (3, 4, EXPERTS), (3, 4, EXPERTS)]
    for one, other in zip(forked, whole, strict=True):
        np.testing.assert_array_equal(one.load, other.load)
    assert (whole[2].load.sum(axis=(1, 2)) == ROUTED * 70).all()


def test_a_model_without_experts_is_refused() -> None:
    says = r"model type 'llama' has no experts, .*\(routing: {enabled: false}\)"
    with pytest.raises(InvalidInput, match=says):
        Engine(a_model("llama"), "Forked", 16).read(_passages())


def test_a_model_without_experts_is_refused_before_anything_is_measured(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    probes = ProbesSpec.parse(PROBES, "probes")
    with pytest.raises(AssertionError, match="has no experts"):
        measured(
            a_checkpoint(tmp_path / "model", model_type="llama"),
            tmp_path / "out",
            probes,
            SOURCE,
            0,
            lambda done: told.append((done.samples, done.total)),
        )
    assert told == []


def test_an_even_load_has_entropy_1_and_a_single_expert_0() -> None:
    loads = np.array([[0.25] * 4, [0, 1, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_allclose(routing.entropy(loads), [1, 0, 0.5])
