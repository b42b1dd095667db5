"""Masked heads, and what is lost without them, on handmade records."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_records import NEEDLES, contexts, records, signals
from measured import few, measured
from tiny_checkpoints import a_checkpoint

from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.heads.head_ablation import HeadAblationSettings
from lccp_evaluator.probes.heads import head_ablation
from lccp_evaluator.progress import Done
from lccp_evaluator.records import Records
from lccp_evaluator.sampling.samples import Sample

ASKED = HeadAblationSettings(source="Niah", heads=1, draws=2)


def copying(sample: Sample) -> np.ndarray:
    """Head 1.0 copies the first token, the others copy nothing."""
    copied = np.full((2, 2, len(NEEDLES[int(sample.labels["needle"])])), -1, dtype=np.int16)
    copied[1, 0, 0] = 0
    return copied


def read_again() -> Records:
    """Without the top head an answer loses 2 nats, and 0.25 more by haystack; 0.5 by chance."""
    read = records(copying)
    numbers, _ = head_ablation.again(read.samples, ASKED)
    masked = {}
    for name in head_ablation.masks(read, ASKED):
        masked[name] = {}
        for number in numbers:
            haystack = read.samples[number].labels["haystack"]
            lost = 2 + haystack / 4 if name == "top" else 0.5
            reading = read.readings[number]
            masked[name][number] = replace(reading, nll=reading.nll + lost)
    return replace(read, masked=masked)


def test_the_top_head_and_its_neighbours_are_masked() -> None:
    sets = head_ablation.masks(records(copying), ASKED)

    assert sets == {"top": [(1, 0)], "random/1": [(1, 1)], "random/2": [(1, 1)]}


def test_samples_of_nearly_the_longest_length_are_read_again() -> None:
    read = records(copying)
    numbers, times = head_ablation.again(read.samples, ASKED)

    assert {read.samples[number].length for number in numbers} == {200}
    assert (len(numbers), times) == (12, len(head_ablation.masks(read, ASKED)))


def test_random_heads_lie_in_the_layers_of_the_top_ones_where_there_are_enough() -> None:
    scores = np.zeros((3, 4))
    scores[0, :3] = 1.0
    scores[2, 1] = 0.5
    sets = head_ablation.sets_of(scores, HeadAblationSettings(heads=4, draws=16))

    assert sets["top"] == [(0, 0), (0, 1), (0, 2), (2, 1)]
    drawn = [heads for name, heads in sets.items() if name != "top"]
    assert len({tuple(heads) for heads in drawn}) > 1
    for heads in drawn:
        assert len(set(heads)) == 4
        assert not set(heads) & set(sets["top"])
        assert (0, 3) in heads
        assert any(layer == 2 for layer, _ in heads)


def test_the_same_seed_draws_the_same_heads() -> None:
    scores = np.arange(40.0).reshape(4, 10)
    asked = HeadAblationSettings(heads=5)

    assert head_ablation.sets_of(scores, asked) == head_ablation.sets_of(scores, asked)
    other = head_ablation.sets_of(scores, asked.model_copy(update={"seed": 1}))
    assert other["random/1"] != head_ablation.sets_of(scores, asked)["random/1"]


def test_more_than_half_of_all_heads_are_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"heads: 3 heads .* cannot be masked .* 4 heads: request at most 2"
    ):
        head_ablation.sets_of(np.zeros((2, 2)), HeadAblationSettings(heads=3))


@pytest.mark.slow
def test_more_than_half_of_all_heads_are_refused_before_anything_is_measured(
    tmp_path: Path,
) -> None:
    told: list[Done] = []
    ablation = {"headAblation": {"source": "Niah", "heads": 7}}
    probes = ProbesSpec.parse(few().document() | ablation, "probes")

    with pytest.raises(AssertionError, match="in a model of 12 heads: request at most 6"):
        measured(a_checkpoint(tmp_path / "model"), tmp_path / "out", probes, progress=told.append)

    assert told == []


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (1, "that see a whole needle is 1: request at most 1"),
        (0, "that see a whole needle is 0: turn headAblation off"),
    ],
)
def test_heads_that_see_no_needle_are_not_chosen(seen: int, sentence: str) -> None:
    scores = np.full((2, 2), np.nan)
    scores[1, :seen] = 0.1

    with pytest.raises(InvalidInput, match=rf"headAblation\.heads: 2 heads .*{sentence}"):
        head_ablation.sets_of(scores, HeadAblationSettings(heads=2))
    if seen:
        assert head_ablation.sets_of(scores, HeadAblationSettings(heads=1))["top"] == [(1, 0)]


def test_losses_are_means_by_cluster_and_their_difference_the_excess() -> None:
    found = signals(head_ablation.measure(read_again(), ASKED, contexts(128)))

    assert found["ablation_loss"].value == pytest.approx(2.25)
    assert found["ablation_random_loss"].value == pytest.approx(0.5)
    assert found["ablation_excess"].value == pytest.approx(1.75)
    assert found["ablation_excess"].n == 12
    by_haystack = found["ablation_loss"].by_cluster["haystack"]
    assert by_haystack == pytest.approx((2.0, 2.25, 2.5))
