"""Values of the probes against an independent computation, on models of several families.

The reference reads the same frozen samples with transformers' own eager attention and full logits,
and recomputes every mean.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_logits import FullLogits, Read
from measured import measured
from scipy import stats
from tiny_checkpoints import a_checkpoint

from lccp.api.objects.report import EvaluationReport, SignalValue
from lccp.api.spec.probes import ProbesSpec
from lccp.probes.registry import PROBES as DECLARED
from lccp_evaluator.sampling.sources.builtin import paragraphs
from reference.compared import LATENT, LAYERS

pytestmark = pytest.mark.long

FAMILIES: dict[str, dict[str, Any]] = {
    "hunyuan_v1_moe": {},
    "llama": {},
    "qwen3_moe": {},
    "deepseek_v3": LATENT | {"q_lora_rank": None},
    "gemma3_text": {"sliding_window": 350, "layer_types": LAYERS},
}
"""Experts, none, latent attention, and windows that needles lie outside of, with their settings."""
SOURCE, TARGET = 500, 1_000
DEPTHS = (0, 40, 90)
"""Percent; one in each third."""
LEAST_GAIN, MOST_NLL = 0.001, 7.0
"""Random weights gain little."""
PROBES = {
    "niah": {
        "lengths": [400, TARGET],
        "depthsPercent": [*DEPTHS],
        "haystacks": 2,
        "needlesPerHaystack": 2,
    },
    "bio": {"documents": 2, "depthsPercent": [20, 50, 80], "questions": 2},
    "retrievalHeads": {"source": "Bio", "topHeads": 2},
    "headAblation": {"source": "Bio", "heads": 2, "draws": 2},
    "interference": {"distance": 350, "bins": 4},
    "corpusPpl": {
        "corpora": [{"name": "english"}, {"name": "code", "language": "Code"}],
        "documents": 2,
        "shortLength": 300,
        "tailTokens": 100,
        "bands": 4,
    },
    "multiKey": {"lengths": [SOURCE, TARGET], "groups": [2, 3], "haystacks": 2, "sets": 2},
    "longPpl": {
        "texts": {"language": "English"},
        "documents": 2,
        "shortLength": 600,
        "stride": 150,
        "minGain": str(LEAST_GAIN),
        "maxNll": str(MOST_NLL),
    },
}
QUESTIONS = ((4, 2), (4, 1), (1, 1), (1, 2), (20, 1))
"""Paragraphs of a text, and questions about it; the last text is longer than the context."""
EVALUATION = "evaluations/000000000000000/intrinsic"
TOLERANCE = 1e-4
"""Nats."""


@dataclass(frozen=True)
class World:
    """A report, and the values from full logits of its samples."""

    report: EvaluationReport
    model: FullLogits
    out: Path

    def signal(self, name: str) -> SignalValue:
        signal = self.report.signal(name)
        assert signal is not None, name
        return signal

    def value(self, name: str) -> float:
        return self.signal(name).value

    def details(self, probe: str) -> dict[str, np.ndarray]:
        with np.load(self.out / EVALUATION / f"{probe}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def read(self, probe: str) -> Read:
        return _read(self.model, self.out, probe)


@cache
def _read(model: FullLogits, out: Path, probe: str) -> Read:
    return Read(model, out, probe)


@pytest.fixture(scope="module", params=FAMILIES)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp(request.param)
    sizes = FAMILIES[request.param] | {"max_position_embeddings": TARGET}
    model = a_checkpoint(folder / "model", model_type=request.param, **sizes)
    probes = PROBES | {"targetPpl": {"path": str(_questions_in(folder))}}
    spec = ProbesSpec.parse(probes, "probes")
    report = measured(model, folder / "out", spec, SOURCE)
    return World(report, FullLogits(model), folder / "out")


def _questions_in(folder: Path) -> Path:
    text = paragraphs("English", "questions")
    lines = [
        {"context": context, "question": f"Is it {number}?", "answer": f"No, {number + 1} it is."}
        for count, questions in QUESTIONS
        for context in ["\n\n".join(islice(text, count))]
        for number in range(questions)
    ]
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_niah(world: World) -> None:
    read = world.read("niah")
    for suffix, beyond in (("", True), ("_guard", False)):
        chosen = [
            i
            for i, s in enumerate(read.samples)
            if s.role == "full" and (s.length > SOURCE) == beyond
        ]
        nll = read.nll[chosen]
        assert len(nll) == 12
        assert math.log(world.value(f"niah_ppl{suffix}")) == pytest.approx(
            nll.mean(), abs=TOLERANCE
        )
        mean_ppl = math.log(world.value(f"niah_mean_ppl{suffix}"))
        assert mean_ppl == pytest.approx(math.log(np.exp(nll).mean()), abs=TOLERANCE)
        none, oracle = (
            np.mean([n for n, s in zip(read.nll, read.samples, strict=True) if s.role == role])
            for role in ("none", "oracle")
        )
        gain = none - nll.mean()
        assert world.value(f"context_gain{suffix}") == pytest.approx(gain, abs=2 * TOLERANCE)
        recovery = world.report.signal(f"recovery{suffix}")
        if recovery is not None:
            assert recovery.value == pytest.approx(gain / (none - oracle), rel=0.01)
        hits = [read.is_arg_max[i][read.samples[i].key_start :].all() for i in chosen]
        assert world.value(f"niah_score{suffix}") == np.mean(hits)
        exact = [read.is_arg_max[i].all() for i in chosen]
        assert world.value(f"niah_exact{suffix}") == np.mean(exact)


@pytest.mark.parametrize(("suffix", "length"), [("", TARGET), ("_guard", 400)])
def test_clusters_cells_and_intervals_of_niah(world: World, suffix: str, length: int) -> None:
    read = world.read("niah")
    nll = np.full((2, 2, len(DEPTHS)), np.nan)  # haystacks, needles, depths
    for one, sample in zip(read.nll, read.samples, strict=True):
        if sample.role == "full" and sample.length == length:
            labels = sample.labels
            depth = DEPTHS.index(int(labels["depth_percent"]))
            nll[int(labels["haystack"]), int(labels["needle"]), depth] = one
    ppl = world.signal(f"niah_ppl{suffix}")
    assert ppl.n == nll.size
    by_cluster = {"haystack": nll.mean(axis=(1, 2)), "needle": nll.mean(axis=(0, 2))}
    for kind, expected in by_cluster.items():
        np.testing.assert_allclose(np.log(ppl.by_cluster[kind]), expected, atol=TOLERANCE)
    cells, column = world.details("niah"), {400: 0, TARGET: 1}[length]
    np.testing.assert_allclose(cells["nll"][:, column], nll.mean(axis=(0, 1)), atol=TOLERANCE)

    none = np.array(
        [one for one, s in zip(read.nll, read.samples, strict=True) if s.role == "none"]
    )
    gains = {
        "haystack": none.mean() - by_cluster["haystack"],
        "needle": none - by_cluster["needle"],
    }
    _assert_clusters(world.signal(f"context_gain{suffix}"), gains)
    first, middle, last = np.moveaxis(nll, -1, 0)
    lost = middle - (50 * first + 40 * last) / 90  # at 40 %, between 0 and 90
    means = {"haystack": lost.mean(axis=1), "needle": lost.mean(axis=0)}
    _assert_clusters(world.signal(f"niah_lost_in_the_middle{suffix}"), means)


def _assert_clusters(signal: SignalValue, by_cluster: dict[str, np.ndarray]) -> None:
    """Values by cluster, their mean, and Student's t interval with Welch and Satterthwaite's."""
    for kind, expected in by_cluster.items():
        np.testing.assert_allclose(signal.by_cluster[kind], expected, atol=3 * TOLERANCE)
        assert signal.value == pytest.approx(expected.mean(), abs=3 * TOLERANCE)
    own = [np.array(signal.by_cluster[kind]) for kind in by_cluster]
    parts = np.array([stats.sem(one) ** 2 for one in own])
    degrees = parts.sum() ** 2 / sum(parts**2 / [len(one) - 1 for one in own])
    half = stats.t.ppf(0.975, degrees) * math.sqrt(parts.sum())
    assert signal.interval == pytest.approx((signal.value - half, signal.value + half))


def test_interference(world: World) -> None:
    read = world.read("niah")
    rows, nll = [], []
    bins: dict[tuple[int, int], list[float]] = {}
    for sample, one in zip(read.samples, read.nll, strict=True):
        if sample.role == "full":
            # opening, haystack, needle, haystack, question, answer
            _, (_, _, before), _, (_, start, stop), *_ = sample.slices
            at = (stop - start) // (TARGET // 4), before // (TARGET // 4)
            bins.setdefault(at, []).append(one)
            if abs(stop - start - 350) <= TARGET / 4:
                haystack, needle = sample.labels["haystack"], sample.labels["needle"]
                rows.append((1 - haystack, haystack, needle, before, stop - start))
                nll.append(one)
    solved = np.linalg.lstsq(np.array(rows, float), np.array(nll), rcond=None)[0]
    slope = world.report.signal("interference_slope")
    assert slope is not None
    assert slope.n == len(nll) > 8
    assert slope.value == pytest.approx(TARGET * solved[3], abs=10 * TOLERANCE)
    details = world.details("interference")
    down, across = (details[name] // (TARGET // 4) for name in ("distances", "interferences"))
    for at in np.ndindex(details["ppl"].shape):
        own = bins.pop((int(down[at[0]]), int(across[at[1]])), [])
        assert details["samples"][at] == len(own)
        if own:
            assert np.log(details["ppl"][at]) == pytest.approx(np.mean(own), abs=TOLERANCE)
    assert not bins


def test_corpus_ppl(world: World) -> None:
    read = world.read("corpus_ppl")
    (names, hashes) = (read.frozen.header.names[key] for key in ("corpus", "document"))
    assert len(set(hashes)) == len(hashes) == 4
    reported = world.report.probes["corpus_ppl"].documents
    assert reported == {"english": hashes[:2], "code": hashes[2:]}
    expected: dict[str, list[float]] = {}
    for sample, nll in zip(read.samples, read.answers, strict=True):
        corpus = names[int(sample.labels["corpus"])]
        kind = {"whole": "corpus_ppl", "guard": "corpus_ppl_guard", "short": "corpus_ppl_short"}
        assert len(nll) == {"whole": TARGET, "guard": SOURCE, "short": 300}[sample.role] - 1
        expected.setdefault(f"{kind[sample.role]}/{corpus}", []).append(nll.mean())
        if sample.role == "whole":
            expected.setdefault(f"corpus_tail_ppl/{corpus}", []).append(nll[-100:].mean())
    assert len(expected) == 8
    for name, values in expected.items():
        assert math.log(world.value(name)) == pytest.approx(np.mean(values), abs=TOLERANCE)
    whole = [nll for s, nll in zip(read.samples, read.answers, strict=True) if s.role == "whole"]
    details = world.details("corpus_ppl")
    assert details["positions"].tolist() == [0, 250, 500, 750]
    bands = [np.split(nll, [249, 499, 749]) for nll in whole]
    by_band = np.array([[band.mean() for band in one] for one in bands])
    np.testing.assert_allclose(
        np.log(details["ppl_by_position"]), by_band.mean(axis=0), atol=TOLERANCE
    )


def test_long_ppl(world: World) -> None:
    read, of_keys, of_others = world.read("long_ppl"), [], []
    placed: list[tuple[int, float]] = []
    for sample, long in zip(read.samples, read.answers, strict=True):
        ids, judged = read.ids(sample), np.arange(600, TARGET)
        starts = judged - 600 + 150 - judged % 150  # windows begin every 150 tokens
        windows = {start: world.model.token_nll(ids[start : start + 600]) for start in {*starts}}
        short = np.array([windows[s][at - s - 1] for s, at in zip(starts, judged, strict=True)])
        is_key = (short - long > LEAST_GAIN) & (long < MOST_NLL)
        frozen = np.isin(np.arange(len(long)), sample.keys)
        sure = np.abs(short - long - LEAST_GAIN) > 2e-5
        assert (frozen == is_key)[sure].all()
        assert 20 < frozen.sum() < 380
        placed += [(600 + at, long[at]) for at in np.flatnonzero(frozen)]
        of_keys.append(long[frozen].mean())
        of_others.append(long[~frozen].mean())
    for name, nll in (("long_ppl", of_keys), ("long_ppl_other", of_others)):
        assert math.log(world.value(name)) == pytest.approx(np.mean(nll), abs=TOLERANCE)
    assert any("chosen by the checkpoint at 0 tokens" in note for note in world.report.notes)
    details = world.details("long_ppl")
    edges = [*details["positions"].tolist(), TARGET]
    assert edges[0] == min(placed)[0]
    for ppl, (low, high) in zip(details["ppl_by_position"], pairwise(edges), strict=True):
        own = [nll for at, nll in placed if low <= at < high]
        assert np.log(ppl) == pytest.approx(np.mean(own), abs=TOLERANCE)


def test_target_ppl(world: World) -> None:
    read = world.read("target_ppl")
    full = [i for i, sample in enumerate(read.samples) if sample.role == "full"]
    assert len(full) == 6
    details = world.details("target_ppl")
    for length, ppl, count in zip(
        *(details[name] for name in ("lengths", "ppl_by_length", "questions")), strict=True
    ):
        own = [read.nll[i] for i in full if length <= read.samples[i].length < 2 * length]
        assert len(own) == count
        assert np.log(ppl) == pytest.approx(np.mean(own), abs=TOLERANCE)
    for suffix, beyond in (("", True), ("_guard", False)):
        chosen = [i for i in full if (read.samples[i].length > SOURCE) == beyond]
        assert len({read.samples[i].labels["context"] for i in chosen}) == 2
        nll = _by_text(read, chosen, read.nll)
        ppl = math.log(world.value(f"target_ppl{suffix}"))
        assert ppl == pytest.approx(nll, abs=TOLERANCE)
        without = [
            i
            for i, sample in enumerate(read.samples)
            if sample.role == "none" and sample.labels in [read.samples[j].labels for j in chosen]
        ]
        assert len(without) == 3
        gain = world.value(f"target_context_gain{suffix}")
        assert gain == pytest.approx(_by_text(read, without, read.nll) - nll, abs=2 * TOLERANCE)
        hits = {i: read.is_arg_max[i].all() for i in chosen}
        assert world.value(f"target_score{suffix}") == pytest.approx(_by_text(read, chosen, hits))


def _by_text(read: Read, numbers: Sequence[int], values: Any) -> float:
    """Mean over texts of the mean over each text's questions."""
    groups: dict[Any, list[float]] = {}
    for number in numbers:
        groups.setdefault(read.samples[number].labels["context"], []).append(values[number])
    return float(np.mean([np.mean(own) for own in groups.values()]))


def test_bio(world: World) -> None:
    read = world.read("bio")
    for suffix, length in (("", TARGET), ("_guard", SOURCE)):
        chosen = [i for i, s in enumerate(read.samples) if s.labels["nominal_length"] == length]
        assert len(chosen) == world.signal(f"bio_ppl{suffix}").n == 12
        ppl = math.log(world.value(f"bio_ppl{suffix}"))
        assert ppl == pytest.approx(read.nll[chosen].mean(), abs=TOLERANCE)
        hits = [read.is_arg_max[i].all() for i in chosen]
        assert world.value(f"bio_score{suffix}") == np.mean(hits)
        nll: dict[tuple[int, int], list[float]] = {}
        for i in chosen:
            labels = read.samples[i].labels
            at = int(labels["document"]), int(labels["depth_percent"])
            nll.setdefault(at, []).append(read.nll[i])
        first, middle, last = (
            np.array([np.mean(nll[document, depth]) for document in (0, 1)])
            for depth in (20, 50, 80)
        )
        lost = {"document": middle - (first + last) / 2}
        _assert_clusters(world.signal(f"bio_lost_in_the_middle{suffix}"), lost)


def _questions(read: Read, length: int) -> Iterator[tuple[int, float, float]]:
    """Group, NLL of the right value, and least NLL of a wrong one, of prompts of a length."""
    labels = ("haystack", "set", "question", "group")
    asked: dict[tuple[float, ...], dict[str, list[float]]] = {}
    for sample, nll in zip(read.samples, read.nll, strict=True):
        if sample.labels["nominal_length"] != length:
            continue
        by_role = asked.setdefault(tuple(sample.labels[name] for name in labels), {})
        by_role.setdefault(sample.role, []).append(float(nll))
    for told_by, by_role in asked.items():
        (right,) = by_role["right"]
        assert len(by_role["wrong"]) == told_by[-1] - 1
        yield int(told_by[-1]), right, min(by_role["wrong"])


@pytest.mark.parametrize(("suffix", "length"), [("", TARGET), ("_guard", SOURCE)])
def test_multi_key(world: World, suffix: str, length: int) -> None:
    found = list(_questions(world.read("multi_key"), length))
    for size in (2, 3):
        right, wrong = (np.array([one[k] for one in found if one[0] == size]) for k in (1, 2))
        assert len(right) == 2 * 2 * size
        ppl = math.log(world.value(f"multi_key_ppl{suffix}/{size}"))
        assert ppl == pytest.approx(right.mean(), abs=TOLERANCE)
        margin = world.value(f"multi_key_margin{suffix}/{size}")
        assert margin == pytest.approx((wrong - right).mean(), abs=2 * TOLERANCE)
        sure = np.abs(wrong - right) > 2 * TOLERANCE
        if sure.all():
            assert world.value(f"multi_key_choice{suffix}/{size}") == (right < wrong).mean()


def test_retrieval_heads(world: World) -> None:
    read, scores, mass = world.read("bio"), [], []
    for sample in read.samples:
        ids = np.array(read.ids(sample))
        attention = world.model.attention(ids)[:, :, sample.answer[0] - 1 : sample.answer[1] - 1]
        start, stop = sample.needle
        looked_at = attention.argmax(-1)
        inside = (looked_at >= start) & (looked_at < stop)
        copied = inside & (ids[looked_at] == ids[slice(*sample.answer)])
        needle = set(ids[start:stop].tolist())
        distance = sample.answer[1] - 2 - start  # from the last row that predicts
        blind = np.array([distance >= window for window in world.model.windows])[:, None]
        score = [
            [
                len({int(ids[at]) for at, hit in zip(row, hits, strict=True) if hit}) / len(needle)
                for row, hits in zip(layer, copies, strict=True)
            ]
            for layer, copies in zip(looked_at, copied, strict=True)
        ]
        scores.append(np.where(blind, np.nan, score))
        mass.append(np.where(blind, np.nan, attention[..., start:stop].sum(-1).mean(-1)))
    details, mean = world.details("retrieval_heads"), np.nanmean(scores, axis=0)
    np.testing.assert_allclose(details["scores"], mean, atol=1e-9)
    np.testing.assert_allclose(details["mass"], np.nanmean(mass, axis=0), atol=1e-5)
    assert world.value("needle_mass") == pytest.approx(np.nanmean(mass), abs=1e-5)
    assert world.value("retrieval_score_mean") == pytest.approx(np.nanmean(scores), abs=1e-9)
    ordered = sorted(mean.ravel().tolist(), reverse=True)
    assert world.value("score_top_share") == pytest.approx(sum(ordered[:2]) / sum(ordered))
    between = [abs(one - other) for one in ordered for other in ordered]
    assert world.value("score_gini") == pytest.approx(np.mean(between) / (2 * np.mean(ordered)))
    _assert_number(world, np.array(scores), np.array([s.labels["document"] for s in read.samples]))


def _assert_number(world: World, scores: np.ndarray, document: np.ndarray) -> None:
    """Heads above the threshold; of two documents, each is drawn twice in a quarter of cases."""
    one, other = (np.nanmean(scores[document == number], axis=0) for number in (0, 1))
    drawn = [int((mean > 0.1).sum()) for mean in (one, other, (one + other) / 2)]
    heads = world.signal("retrieval_heads")
    assert heads.value == (np.nanmean(scores, axis=0) > 0.1).sum()
    assert heads.interval == (min(drawn), max(drawn))


def test_head_ablation(world: World) -> None:
    read = world.read("bio")
    details = world.details("head_ablation")
    sets = {name: details[name].tolist() for name in ("top", "random_1", "random_2")}
    scores = world.details("retrieval_heads")["scores"]
    least = min(scores[layer, head] for layer, head in sets["top"])
    assert (scores > least).sum() <= 2 <= (scores >= least).sum()
    long = [n for n, s in enumerate(read.samples) if 4 * s.length > 3 * TARGET]
    assert len(long) == 12
    lost = {}
    for name, heads in sets.items():
        with world.model.without(heads):
            masked = [_answer_nll(world, read, number) for number in long]
        lost[name] = np.mean(masked) - read.nll[long].mean()
    random = (lost["random_1"] + lost["random_2"]) / 2
    assert abs(lost["top"]) > 10 * TOLERANCE
    for signal, expected in (
        ("ablation_loss", lost["top"]),
        ("ablation_random_loss", random),
        ("ablation_excess", lost["top"] - random),
    ):
        assert world.value(signal) == pytest.approx(expected, abs=2 * TOLERANCE)


def _answer_nll(world: World, read: Read, number: int) -> float:
    sample = read.samples[number]
    nll = world.model.token_nll(read.ids(sample))
    return float(nll[sample.answer[0] - 1 : sample.answer[1] - 1].mean())


def test_clusters_are_those_that_the_probes_declare(world: World) -> None:
    reported = world.report.probes
    asked = {
        name: DECLARED[name].settings.parse(one.settings, name) for name, one in reported.items()
    }
    for name, one in reported.items():
        for signal in one.signals:
            kinds = DECLARED.clusters(name, signal.name, asked)
            assert {*signal.by_cluster} == {kind.name for kind in kinds}, signal.name
            most = {kind.name: kind.count for kind in kinds}
            assert all(1 <= len(own) <= most[kind] for kind, own in signal.by_cluster.items())
