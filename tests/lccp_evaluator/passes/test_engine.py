from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_models import a_model, a_passage, rotations_by_length
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.passage import Passage, Reading
from reference.compared import EXACT, FAMILIES, HYBRIDS, LAYERS, LENGTHS, WATCHED, WAYS

pytestmark = pytest.mark.slow

STEP_TOKENS = 48
PLACES = (0, 20, 45)


@pytest.fixture(scope="module", params=FAMILIES.values(), ids=FAMILIES.keys())
def model(request):
    """A model that no test changes."""
    model_type, settings = request.param
    return a_model(model_type, **settings)


@pytest.fixture(scope="module")
def expected(model) -> list[Reading]:
    return eager_readings(model)


def eager_readings(model) -> list[Reading]:
    """The grid from full logits and full attention weights of the model's own eager attention."""
    passages = a_grid()
    eager = deepcopy(model)
    eager.set_attn_implementation("eager")
    read: dict[int, Reading] = {}
    for length in LENGTHS:
        numbers = [i for i, passage in enumerate(passages) if len(passage.ids) == length]
        ids = torch.tensor(np.stack([passages[i].ids for i in numbers]))
        with torch.no_grad():
            output = eager(ids, output_attentions=True)
        for row, number in enumerate(numbers):
            weights = [layer[row] for layer in output.attentions]
            read[number] = read_naively(passages[number], output.logits[row], weights)
    return [read[number] for number in range(len(passages))]


def read_naively(passage: Passage, logits, attentions) -> Reading:
    rows = np.arange(*passage.answer) - 1
    targets = passage.ids[rows + 1]
    log_p = logits.double().log_softmax(-1).numpy()[rows]
    weights = [layer[:, rows].double() for layer in attentions]
    looked_at = np.stack([layer.argmax(-1).numpy() for layer in weights])
    start, stop = passage.needle
    is_copy = (looked_at >= start) & (looked_at < stop) & (passage.ids[looked_at] == targets)
    mass = np.stack([layer[..., start:stop].sum(-1).mean(-1).numpy() for layer in weights])
    return Reading(
        nll=-log_p[np.arange(len(rows)), targets],
        is_arg_max=log_p.argmax(-1) == targets,
        copied=np.where(is_copy, looked_at - start, -1),
        mass=mass,
    )


def a_grid(lengths=LENGTHS, places=PLACES) -> list[Passage]:
    """One haystack, two needles of different sizes, at some places, cut at some lengths."""
    haystack = np.random.default_rng(0).integers(3, 7, 160)
    question = np.arange(10, 15)
    passages = []
    for length in lengths:
        for at in places:
            for size in (6, 9):
                needle = np.random.default_rng(size).integers(3, 7, size)
                before, after = haystack[:at], haystack[at : length - 2 * size - len(question)]
                ids = np.concatenate((before, needle, after, question, needle))
                passages.append(Passage(ids, (length - size, length), (at, at + size)))
    return passages


def assert_equal(reading: Reading, expected: Reading) -> None:
    assert np.abs(reading.nll - expected.nll).max() < EXACT
    np.testing.assert_array_equal(reading.is_arg_max, expected.is_arg_max)
    np.testing.assert_array_equal(reading.copied, expected.copied)
    np.testing.assert_allclose(reading.mass, expected.mass, atol=EXACT)


@pytest.mark.parametrize("way", WAYS)
def test_a_grid_reads_as_full_logits_and_eager_attention_do(model, expected, way):
    readings = Engine(model, way, STEP_TOKENS).read(a_grid())

    for reading, naive in zip(readings, expected, strict=True):
        assert_equal(reading, naive)
    assert any((reading.copied >= 0).any() for reading in readings)


def test_heads_are_watched_where_all_layers_have_attention_beside_something_else():
    model_type, settings, _ = HYBRIDS[WATCHED]
    model = a_model(model_type, **settings)

    readings = Engine(model, "Whole", STEP_TOKENS).read(a_grid())

    for reading, naive in zip(readings, eager_readings(model), strict=True):
        assert_equal(reading, naive)


def test_a_step_as_small_as_one_token_changes_nothing():
    passages = a_grid([50], [0, 20])[1:]
    large, small = (Engine(a_model("llama"), "Forked", size).read(passages) for size in (1_000, 1))

    for one, other in zip(large, small, strict=True):
        assert_equal(one, other)


def test_half_precision_reads_as_the_whole_pass_within_its_rounding(model):
    half, passages = deepcopy(model).to(torch.bfloat16), a_grid([70, 110])
    forked, whole = (Engine(half, way, STEP_TOKENS).read(passages) for way in ("Forked", "Whole"))

    differences = [np.abs(one.nll - other.nll) for one, other in zip(forked, whole, strict=True)]
    scale = np.concatenate([one.nll for one in whole]).mean()
    assert np.median(np.concatenate(differences)) < 0.05 * scale
    agree = [(one.copied == other.copied).mean() for one, other in zip(forked, whole, strict=True)]
    assert np.mean(agree) > 0.95


@pytest.mark.parametrize("way", WAYS)
def test_half_precision_is_as_exact_as_the_models_own_eager_attention(model, expected, way):
    half = deepcopy(model).to(torch.bfloat16)
    own, ours = eager_readings(half), Engine(half, way, STEP_TOKENS).read(a_grid())

    own_error, our_error = (nll_error(readings, expected) for readings in (own, ours))
    assert 0 < our_error < 2 * own_error
    assert copies_alike(ours, expected) > copies_alike(own, expected) - 0.01


def nll_error(readings: list[Reading], exact: list[Reading]) -> float:
    """The median over all tokens (nats), since rounding may choose other experts for some."""
    errors = [np.abs(one.nll - other.nll) for one, other in zip(readings, exact, strict=True)]
    return float(np.median(np.concatenate(errors)))


def copies_alike(readings: list[Reading], exact: list[Reading]) -> float:
    """The share of heads and tokens that copy, or do not, as they do exactly."""
    pairs = zip(readings, exact, strict=True)
    return float(np.mean([(one.copied == other.copied).mean() for one, other in pairs]))


def test_the_models_own_attention_gives_the_same_likelihoods_without_heads(model, expected):
    eager = deepcopy(model)
    eager.set_attn_implementation("eager")

    readings = Engine(eager, "Native", STEP_TOKENS).read(a_grid()[:3])

    for one, other in zip(readings, expected[:3], strict=True):
        np.testing.assert_allclose(one.nll, other.nll, atol=2e-5)
        assert one.copied.shape == (0, 0, len(one.nll))


def test_heads_are_watched_only_if_asked_for():
    passages = a_grid([70])
    silent = Engine(a_model("llama"), "Forked", STEP_TOKENS, watches=False).read(passages)
    watched = Engine(a_model("llama"), "Forked", STEP_TOKENS).read(passages)

    assert silent[0].copied.shape[0] == 0
    np.testing.assert_array_equal(silent[0].nll, watched[0].nll)


def test_every_token_of_a_document_can_be_judged():
    model, document = a_model("llama"), a_passage(150, 5, seed=0).ids
    whole = Passage(document, (1, len(document)))
    beginning = Passage(document[:40], (1, 40))

    long, short = Engine(model, "Forked", STEP_TOKENS).read([whole, beginning])

    model.set_attn_implementation("eager")
    with torch.no_grad():
        log_p = model(torch.tensor(document[None])).logits[0].double().log_softmax(-1).numpy()
    np.testing.assert_allclose(long.nll, -log_p[np.arange(149), document[1:]], atol=1e-5)
    np.testing.assert_array_equal(short.nll, long.nll[:39])


def test_a_needle_beyond_the_window_is_not_seen():
    model = a_model(
        "gemma3_text",
        sliding_window=24,
        layer_types=LAYERS,
    )
    near, far = a_passage(40, 5, seed=0), a_passage(120, 5, seed=0)
    needles = [Passage(near.ids, (35, 40), (20, 30)), Passage(far.ids, (115, 120), (20, 30))]

    close, beyond = Engine(model, "Forked", STEP_TOKENS).read(needles)

    assert close.sees.tolist() == [[True] * 5] * 3
    assert beyond.sees.tolist() == [[False] * 5, [True] * 5, [False] * 5]
    assert (beyond.copied[[0, 2]] == -1).all()
    assert (beyond.mass[[0, 2]] == 0).all()


def a_model_with_more_heads_in_one_layer():
    model = a_model("llama")
    attention = model.model.layers[1].self_attn
    attention.q_proj, attention.o_proj = nn.Linear(32, 64), nn.Linear(64, 32)
    attention.num_key_value_groups = 4
    return model


def test_layers_may_differ_in_heads_where_they_are_not_watched():
    model = a_model_with_more_heads_in_one_layer()
    forked, whole = (
        Engine(model, way, STEP_TOKENS, watches=False).read(a_grid([70]))
        for way in ("Forked", "Whole")
    )

    for one, other in zip(forked, whole, strict=True):
        np.testing.assert_allclose(one.nll, other.nll, atol=2e-5)
    with pytest.raises(InvalidInput, match=r"4 and 8 heads: .*retrievalHeads: \{enabled: false\}"):
        Engine(model, "Forked", STEP_TOKENS).read(a_grid())


def a_model_that_looks_back(*tokens_back: int):
    """One layer; head i looks exactly `tokens_back[i]` tokens back, whatever the tokens are.

    The embedding's first value is the same for all tokens, and query and key read nothing else.
    A query is the key rotated back by that many positions, so rotation makes their product largest
    there.
    """
    heads, size = len(tokens_back), 8
    model = a_model(
        "llama",
        num_hidden_layers=1,
        num_attention_heads=heads,
        num_key_value_heads=1,
        head_dim=size,
    )
    frequencies = 10_000.0 ** (-torch.arange(size // 2) / (size // 2))
    angles = -torch.tensor(tokens_back)[:, None] * frequencies
    attention = model.model.layers[0].self_attn
    with torch.no_grad():
        model.model.embed_tokens.weight[:, 0] = 10.0
        for projection in (attention.q_proj, attention.k_proj):
            projection.weight.zero_()
        attention.k_proj.weight[: size // 2, 0] = 1.0
        attention.q_proj.weight[:, 0] = torch.cat((angles.cos(), angles.sin()), dim=1).flatten()
    return model


def test_a_planted_retrieval_head_copies_every_token_and_its_neighbours_none():
    length, answer, start = 96, 6, 40
    ids = np.random.default_rng(0).permutation(np.arange(3, 90).repeat(2))[:length]
    ids[start : start + answer] = np.arange(answer) + 90
    ids[length - answer :] = ids[start : start + answer]
    distance = length - answer - start
    model = a_model_that_looks_back(distance - 1, distance, distance - 2, 0)

    passage = Passage(ids, (length - answer, length), (start, start + answer))
    reading = Engine(model, "Forked", STEP_TOKENS).read([passage])[0]

    np.testing.assert_array_equal(reading.copied[0, 0], np.arange(answer))
    assert (reading.copied[0, 1:] == -1).all()


def test_a_dynamic_rotation_forgets_the_inputs_before():
    scaling = {"rope_type": "dynamic", "rope_theta": 10_000.0, "factor": 4.0}
    model = a_model("llama", rope_parameters=scaling, max_position_embeddings=32)
    long, short = a_passage(160, 5, seed=0), a_passage(60, 5, seed=1)
    alone = Engine(model, "Whole", STEP_TOKENS).read([short])[0]

    after = Engine(model, "Whole", STEP_TOKENS).read([long, short])[1]

    np.testing.assert_array_equal(after.nll, alone.nll)


WEIGHTS = {
    "model.embed_tokens.weight": "weights are not finite: model.embed_tokens.weight",
    "model.layers.1.self_attn.o_proj.weight": "weights are not finite: model.layers.1",
}


@pytest.mark.parametrize(("name", "sentence"), WEIGHTS.items(), ids=WEIGHTS.keys())
def test_a_weight_that_is_no_number_is_named(name, sentence):
    model = a_model("llama")
    with torch.no_grad():
        model.get_parameter(name)[5] = float("nan")

    with pytest.raises(NotFiniteModel, match=sentence):
        Engine(model, "Forked", STEP_TOKENS).read(a_grid())


def test_values_that_overflow_are_named_by_the_layer_where_they_begin():
    model = a_model("llama")
    with torch.no_grad():
        model.model.layers[1].mlp.down_proj.weight.fill_(1e38)

    with pytest.raises(NotFiniteModel, match=r"first come from model\.layers\.1\.mlp\.down_proj"):
        Engine(model, "Forked", STEP_TOKENS).read(a_grid())


def test_a_likelihood_without_a_perplexity_is_refused():
    model = a_model("llama")
    with torch.no_grad():
        model.lm_head.weight.mul_(1e5)

    with pytest.raises(
        NotFiniteModel, match="nats a token: its perplexity is too large for a number"
    ):
        Engine(model, "Forked", STEP_TOKENS).read(a_grid())


class LargestTensor(TorchDispatchMode):
    """Records the largest tensor that any operation creates."""

    numel = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, torch.Tensor):
                self.numel = max(self.numel, value.numel())
        return result


@pytest.mark.parametrize("way", ["Forked", "Whole"])
def test_the_largest_tensor_grows_as_the_length_does(model, way):
    largest = {}
    for length in (640, 1_280):
        with LargestTensor() as seen:
            Engine(model, way, 256).read([a_passage(length, 8, seed=0)])
        largest[length] = seen.numel

    assert largest[1_280] <= 2.05 * largest[640]
    assert largest[1_280] < 1_280**2 / 2


def test_logits_exist_at_the_answer_alone():
    model = a_model("llama", vocab_size=50_000)
    with LargestTensor() as seen:
        Engine(model, "Forked", 512).read([a_passage(512, 8, seed=0)])

    assert seen.numel <= 32 * 50_000


@pytest.mark.parametrize("way", ["Forked", "Whole", "Native"])
def test_logits_of_a_document_exist_at_a_few_rows_at_a_time(way):
    model = a_model("llama", vocab_size=50_000)
    if way == "Native":
        model.set_attn_implementation("eager")
    document = Passage(a_passage(300, 5, seed=0).ids, (1, 300))
    with LargestTensor() as seen:
        Engine(model, way, 300, head_rows=64).read([document])

    assert seen.numel == 64 * 50_000


@pytest.mark.parametrize("way", ["Forked", "Whole", "Native"])
def test_the_number_of_rows_at_a_time_changes_nothing(model, way):
    model = deepcopy(model)
    if way == "Native":
        model.set_attn_implementation("eager")
    document = Passage(a_passage(60, 5, seed=0).ids, (1, 60))
    few, all_ = (
        Engine(model, way, STEP_TOKENS, head_rows=rows).read([document])[0] for rows in (7, 1_000)
    )

    np.testing.assert_allclose(few.nll, all_.nll, atol=2e-6)
    np.testing.assert_array_equal(few.is_arg_max, all_.is_arg_max)


def test_the_layers_below_the_head_run_once_for_all_rows():
    model = a_model("llama")
    runs = []
    model.model.layers[0].register_forward_hook(lambda *_: runs.append(1))
    document = Passage(a_passage(60, 5, seed=0).ids, (1, 60))
    Engine(model, "Whole", STEP_TOKENS, head_rows=7).read([document, document])

    assert len(runs) == 2


def test_what_lies_below_the_head_is_found_or_the_model_is_refused():
    model = a_model("llama")
    model.base_model_prefix = "backbone"
    document = Passage(a_passage(60, 5, seed=0).ids, (1, 60))
    few, all_ = (
        Engine(model, "Whole", STEP_TOKENS, head_rows=rows).read([document])[0]
        for rows in (7, 1_000)
    )
    np.testing.assert_allclose(few.nll, all_.nll, atol=2e-6)

    model.surplus = torch.nn.Linear(1, 1)
    with pytest.raises(InvalidInput, match=r"'llama' cannot be evaluated: .*base_model_prefix"):
        Engine(model, "Forked", STEP_TOKENS)


ROTATED = rotations_by_length(100)


@pytest.mark.parametrize("scaling", ROTATED.values(), ids=ROTATED.keys())
def test_steps_of_a_rotation_that_depends_on_the_length_are_those_of_the_whole_prompt(scaling):
    """Prompts of 70 to 160 tokens, where rotations change at 100; the steps begin before."""
    model = a_model(
        "llama", rope_parameters=scaling | {"rope_theta": 1e4}, max_position_embeddings=100
    )
    passages = [replace(one, say=3) for one in a_grid()]
    whole, stepped = (
        Engine(model, way, STEP_TOKENS).read(passages) for way in ("Whole", "Stepped")
    )
    schedule = Engine(model, "Stepped", STEP_TOKENS).planned(passages)

    for one, other in zip(stepped, whole, strict=True):
        assert_equal(one, other)
        np.testing.assert_array_equal(one.said, other.said)
    assert max(sum(p.stop - p.start for p in step) for step in schedule.steps) == STEP_TOKENS
    assert all(len({piece.passage for piece in step}) == 1 for step in schedule.steps)
    assert len(schedule.steps) > len(passages)
