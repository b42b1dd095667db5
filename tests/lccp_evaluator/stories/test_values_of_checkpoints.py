"""What compares checkpoints, and the other ways of counting heads, against eager attention.

Two checkpoints with other weights answer the same samples; scores, halves, overlaps and rank
correlations are computed anew from full attention weights.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_logits import FullLogits, Read
from measured import measured
from scipy import stats
from tiny_checkpoints import a_checkpoint

from lccp.api.spec.probes import ProbesSpec
from lccp.report.details import compared
from lccp_evaluator.sampling.samples import Sample
from reference.compared import LATENT, LAYERS

pytestmark = pytest.mark.long

FAMILIES: dict[str, dict[str, Any]] = {
    "hunyuan_v1_moe": {},
    "deepseek_v3": LATENT | {"q_lora_rank": None},
    "gemma3_text": {"sliding_window": 120, "layer_types": LAYERS},
}
CONTEXT, DOCUMENTS, TOP = 500, 4, 3
THRESHOLD, MARGIN = 0.003, 0.001
"""Heads of random weights copy little."""
TOKENS = (0, 1_000)


def probes(counting: str) -> ProbesSpec:
    heads = {"counting": counting, "topHeads": TOP}
    heads |= {"threshold": str(THRESHOLD), "hysteresis": str(MARGIN)}
    bio = {
        "lengths": [CONTEXT],
        "documents": DOCUMENTS,
        "depthsPercent": [10, 50],
        "questions": 3,
        "answer": "Sentence",
    }
    return ProbesSpec.parse(
        {"niah": {"enabled": False}, "bio": bio, "retrievalHeads": heads}, "probes"
    )


def share(counting: str, sample: Sample, ids: np.ndarray, looked_at: np.ndarray) -> float:
    """Score of a head that looks at these tokens where it predicts the answer."""
    start, stop = sample.needle
    copied = [
        at
        for at, token in zip(looked_at, ids[slice(*sample.answer)], strict=True)
        if start <= at < stop and ids[at] == token
    ]
    if counting == "WuCount":
        key = start + sample.key_start
        return sum(at >= key for at in copied) / (stop - key)
    return len(copied) / (sample.answer[1] - sample.answer[0])


def scores_of(model: FullLogits, read: Read, counting: str) -> np.ndarray:
    """[samples, layers, heads]; NaN where a window ends before the needle."""
    found = []
    for sample in read.samples:
        ids, (first, last) = np.array(read.ids(sample)), sample.answer
        looked_at = model.attention(ids)[:, :, first - 1 : last - 1].argmax(-1)
        found.append(
            [
                [
                    share(counting, sample, ids, head)
                    if last - 2 - sample.needle[0] < window
                    else np.nan
                    for head in layer
                ]
                for layer, window in zip(looked_at, model.windows, strict=True)
            ]
        )
    return np.array(found)


@dataclass(frozen=True)
class Pair:
    """Two evaluated checkpoints: what their comparison tells, and the scores that it should."""

    told: dict[str, dict[int, float]]
    maps: list[np.ndarray]
    halves: list[list[np.ndarray]]
    details: list[dict[str, np.ndarray]]


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module", params=["WuCount", "PositionRecall"])
def pair(
    family: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Pair:
    folder, counting = tmp_path_factory.mktemp(family), request.param
    out, sizes = folder / "out", FAMILIES[family] | {"max_position_embeddings": CONTEXT}
    models = [
        a_checkpoint(folder / f"{seed}", seed=seed, model_type=family, **sizes) for seed in (1, 0)
    ]
    reports = [
        measured(model, out, probes(counting), CONTEXT, tokens)
        for model, tokens in zip(models, TOKENS, strict=True)
    ]

    def beside(report: Any, name: str) -> Path:
        return out / "evaluations" / f"{report.tokens:015d}" / "intrinsic" / name

    all_scores = [scores_of(FullLogits(m), Read(None, out, "bio"), counting) for m in models]
    document = np.array([s.labels["document"] for s in Read(None, out, "bio").samples])
    by_document = [
        [np.nanmean(scores[document == n], axis=0) for n in range(DOCUMENTS)]
        for scores in all_scores
    ]
    details = []
    for report in reports:
        with np.load(beside(report, "retrieval_heads.npz"), allow_pickle=False) as arrays:
            details.append(dict(arrays))
    return Pair(
        compared(reports, lambda report, name: beside(report, name).read_bytes()),
        [np.nanmean(scores, axis=0) for scores in all_scores],
        [
            [np.nanmean(own[: DOCUMENTS // 2], axis=0), np.nanmean(own[DOCUMENTS // 2 :], axis=0)]
            for own in by_document
        ],
        details,
    )


@pytest.mark.filterwarnings("ignore:Mean of empty slice")
def test_heads_are_counted_in_every_way_by_half_and_whole(pair: Pair) -> None:
    assert (pair.maps[0] > THRESHOLD).any()
    for details, scores, halves in zip(pair.details, pair.maps, pair.halves, strict=True):
        np.testing.assert_allclose(details["scores"], scores, atol=1e-9)
        np.testing.assert_allclose(details["halves"], halves, atol=1e-9)


def test_checkpoints_have_these_heads_in_common(pair: Pair) -> None:
    before, now = pair.maps
    _assert_alike(pair.told, "", TOKENS[1], before, now)
    for tokens, halves in zip(TOKENS, pair.halves, strict=True):
        _assert_alike(pair.told, "_ceiling", tokens, *halves)


def _assert_alike(
    told: dict[str, dict[int, float]], suffix: str, tokens: int, a: np.ndarray, b: np.ndarray
) -> None:
    scored = [
        (layer, head) for layer, head in np.ndindex(a.shape) if not np.isnan(a + b)[layer, head]
    ]
    tops = [sorted(scored, key=lambda at, one=one: (-one[at], at))[:TOP] for one in (a, b)]
    overlap = len({*tops[0]} & {*tops[1]}) / TOP
    assert told[f"head_overlap{suffix}"][tokens] == pytest.approx(overlap)
    union = sorted({*tops[0]} | {*tops[1]})
    for name, heads in ((f"head_spearman{suffix}", scored), (f"head_spearman_top{suffix}", union)):
        first, second = ([one[at] for at in heads] for one in (a, b))
        if min(len(set(first)), len(set(second))) < 2:
            assert tokens not in told[name]
        else:
            expected = stats.spearmanr(first, second).statistic
            assert told[name][tokens] == pytest.approx(expected)


def test_initial_heads_are_followed_and_steady_ones_counted(pair: Pair) -> None:
    (first, second), inside = pair.halves[0], pair.maps[0] > THRESHOLD
    later = np.where(inside, pair.maps[1] >= THRESHOLD - MARGIN, pair.maps[1] > THRESHOLD + MARGIN)
    steady = pair.told["retrieval_heads_steady"]
    assert [steady[tokens] for tokens in TOKENS] == [inside.sum(), later.sum()]
    chosen = [(first > THRESHOLD, 1), (second > THRESHOLD, 0)]
    for tokens, halves in zip(TOKENS, pair.halves, strict=True):
        ways = [halves[score][heads].mean() for heads, score in chosen if heads.any()]
        assert pair.told["initial_heads_score"][tokens] == pytest.approx(np.mean(ways))
