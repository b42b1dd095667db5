"""Ablation of heads: which are masked, and what is lost. See `lccp.probes.heads.head_ablation`."""

from collections.abc import Mapping, Sequence

import numpy as np
from transformers import PreTrainedModel

from lccp.contract.errors import InvalidInput
from lccp.probes.heads import head_ablation
from lccp.probes.heads.head_ablation import RANDOM, TOP, HeadAblationSettings
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.passes.passage import Heads, Reading
from lccp_evaluator.probes.heads.retrieval_heads import CLUSTERS, Watched, means
from lccp_evaluator.probes.measurement import Measurement, TorchHalf, measured
from lccp_evaluator.records import FloatArray, Records, mean_by
from lccp_evaluator.sampling.samples import Sample

FIELD = "evaluation.probes.headAblation.heads"


def fits(model: PreTrainedModel, asked: HeadAblationSettings) -> None:
    """Raise InvalidInput if `model` has too few heads."""
    config = model.config.get_text_config(decoder=True)
    _check_all(config.num_hidden_layers * config.num_attention_heads, asked.heads)


def masks(records: Records, asked: HeadAblationSettings) -> Mapping[str, Heads]:
    """The sets of heads to mask, by name.

    Raises InvalidInput if too few heads are left for a random set.
    """
    watched = np.array([sample.needle is not None for sample in records.samples])
    seen = Watched.of(records.where(watched), RetrievalHeadsSettings())
    return sets_of(means(seen.scores), asked)


def again(samples: Sequence[Sample], asked: HeadAblationSettings) -> tuple[set[int], int]:
    """The numbers of the longer samples with needles, and how many sets to mask for each."""
    lengths = {n: one.length for n, one in enumerate(samples) if one.needle is not None}
    longest = max(lengths.values())
    return {n for n, length in lengths.items() if 4 * length > 3 * longest}, 1 + asked.draws


def sets_of(scores: FloatArray, asked: HeadAblationSettings) -> Mapping[str, Heads]:
    """The top heads by `scores` [layers, heads], and the sets of random ones.

    Raises InvalidInput if there are too few heads, or too few with a score.
    """
    layers, width = scores.shape
    _check_enough(scores, asked.heads)
    best = np.argsort(-scores.ravel(), kind="stable")[: asked.heads]
    top = [divmod(int(number), width) for number in best]
    sets: dict[str, Heads] = {TOP: top}
    for draw in range(asked.draws):
        numbers = np.random.default_rng((asked.seed, draw))
        order = [divmod(int(number), width) for number in numbers.permutation(scores.size)]
        others = [head for head in order if head not in top]
        counts = [sum(layer == at for at, _ in top) for layer in range(layers)]
        same = [
            head
            for layer, count in enumerate(counts)
            for head in [one for one in others if one[0] == layer][:count]
        ]
        rest = [head for head in others if head not in same]
        sets[f"{RANDOM}/{draw + 1}"] = [*same, *rest][: asked.heads]
    return sets


def _check_all(there: int, heads: int) -> None:
    if 2 * heads > there:
        raise InvalidInput(
            f"{FIELD}: {heads} heads and as many others cannot be masked in a model of {there} "
            f"heads: request at most {there // 2}"
        )


def _check_enough(scores: FloatArray, heads: int) -> None:
    _check_all(scores.size, heads)
    scored = np.count_nonzero(~np.isnan(scores))
    if heads > scored:
        remedy = f"request at most {scored}" if scored else "turn headAblation off"
        raise InvalidInput(
            f"{FIELD}: {heads} heads cannot be chosen, since the number of those that see a whole "
            f"needle is {scored}: {remedy}"
        )


def measure(records: Records, asked: HeadAblationSettings, _contexts: Contexts) -> Measurement:
    """Signals by cluster, the masked heads, and every sample's loss by set."""
    numbers = sorted(records.masked[TOP])
    chosen = np.isin(np.arange(len(records.samples)), numbers)
    again = records.where(chosen)
    lost = {name: _nll(readings, numbers) - again.nll for name, readings in records.masked.items()}
    random = np.mean([loss for name, loss in lost.items() if name != TOP], axis=0)
    columns = {
        "ablation_loss": lost[TOP],
        "ablation_random_loss": random,
        "ablation_excess": lost[TOP] - random,
    }
    found = []
    for signal in head_ablation.signals(asked):
        column = columns[signal.name]
        kinds = CLUSTERS[asked.source]
        clusters = {kind: mean_by(again.label(kind), column) for kind in kinds}
        found.append(measured(signal, float(column.mean()), len(column), clusters))
    sets = masks(records, asked)
    details = {name.replace("/", "_"): np.array(heads) for name, heads in sets.items()}
    return Measurement(found, details, again.columns() | columns)


def _nll(readings: Mapping[int, Reading], numbers: list[int]) -> FloatArray:
    """Mean NLL of the answers of samples `numbers`."""
    return np.array([readings[number].nll.mean(dtype=np.float64) for number in numbers])


HALF = TorchHalf(
    head_ablation.PROBE.name, measure, watches_heads=True, fits=fits, masks=masks, again=again
)
