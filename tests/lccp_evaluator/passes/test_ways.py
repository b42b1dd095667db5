from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import a_model, a_passage, rotations_by_length
from torch import nn
from transformers import AttentionMaskInterface, AutoConfig, AutoModelForCausalLM
from transformers.models.llama import modeling_llama

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model import capture, rope
from lccp_evaluator.model.execution import ExecutionPlan
from lccp_evaluator.model.finite import NotFiniteModel
from lccp_evaluator.model.loading import load_model
from lccp_evaluator.model.past import Past
from lccp_evaluator.passes.engine import Engine
from lccp_evaluator.passes.ways import Choice, choose, go
from reference.compared import DTYPES, EXACT, FAMILIES, HYBRIDS, IN_STEPS, REFUSED

LONGEST = 400
IDS = a_passage(LONGEST, 5, seed=0).ids
ROOT = Path(__file__).parents[3]


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def model(request):
    model_type, settings = request.param
    return a_model(model_type, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", DTYPES)
def test_the_families_share_beginnings_and_show_their_heads(model, dtype):
    assert choose(model.to(getattr(torch, dtype)), IDS, LONGEST, watches=True) == Choice("Forked")


def test_the_families_that_are_compared_stand_in_the_docs():
    page = (ROOT / "docs/reference/families.md").read_text(encoding="utf-8")
    assert [name for name in FAMILIES if f"| {name} |" not in page] == []
    assert [why for _, _, why in REFUSED.values() if why not in page] == []
    assert [name for name in HYBRIDS if f"| {name} |" not in page] == []


@pytest.mark.long
def test_rounding_never_refuses_a_right_model():
    model = a_model("llama", num_hidden_layers=12).to(torch.bfloat16)
    for seed in range(60):
        ids = a_passage(100, 5, seed).ids
        assert choose(model, ids, LONGEST, watches=True) == Choice("Forked")


STATEFUL = rotations_by_length(128)


@pytest.mark.parametrize("scaling", STATEFUL.values(), ids=STATEFUL.keys())
def test_prompts_whose_rotation_depends_on_their_length_share_nothing(scaling):
    model = a_model("llama", rope_parameters=scaling | {"rope_theta": 10_000.0})

    choice = choose(model, IDS, LONGEST, watches=True)

    assert choice.way == "Stepped"
    assert choice.reason == f"its RoPE scaling ({scaling['rope_type']}) depends on the length"


def test_steps_that_no_short_trial_could_show_to_be_right_are_not_taken():
    scaling = STATEFUL["longrope"] | {"rope_theta": 10_000.0}
    scaling["original_max_position_embeddings"] = 5_000
    model = a_model("llama", rope_parameters=scaling)
    ids = np.resize(IDS, 5_100)

    assert choose(model, ids, len(ids), watches=False).way == "Whole"
    assert choose(model, ids[:400], 400, watches=False).way == "Stepped"


def test_rotations_that_change_on_the_way_take_whole_passes(monkeypatch):
    monkeypatch.setattr(rope, "FIXED", "longrope")
    model = a_model("llama", rope_parameters=STATEFUL["longrope"] | {"rope_theta": 10_000.0})

    assert choose(model, IDS, LONGEST, watches=True).way == "Whole"


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "settings", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_other_attention_is_refused_by_name_where_heads_are_asked_for(model_type, settings, why):
    model = a_model(model_type, **settings)

    with pytest.raises(
        InvalidInput,
        match=f"model type '{model_type}' cannot be evaluated: .*{why}.*retrievalHeads: {{enabled",
    ):
        choose(model, IDS, LONGEST, watches=True)


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "settings", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_without_heads_any_causal_model_is_evaluated_by_its_own_attention(
    model_type, settings, why
):
    model, passage = a_model(model_type, **settings), a_passage(90, 6, seed=1)

    choice = choose(model, IDS, LONGEST, watches=False)
    go(model, choice.way)
    reading = Engine(model, choice.way, 64, watches=False).read([passage])[0]

    assert choice.way == "Native"
    assert why in choice.reason
    with torch.no_grad():
        log_p = model(torch.tensor(passage.ids[None])).logits[0].log_softmax(-1).numpy()
    expected = -log_p[np.arange(83, 89), passage.ids[84:]]
    np.testing.assert_allclose(reading.nll, expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "settings", "steps"), HYBRIDS.values(), ids=HYBRIDS.keys())
def test_layers_without_attention_are_read_whole_and_in_steps_by_their_own_cache(
    model_type, settings, steps
):
    model, passage = a_model(model_type, **settings), a_passage(130, 90, seed=1)

    choice = choose(model, IDS, LONGEST, watches=False)

    assert (choice.way in ("Native", "Whole"), choice.resumes) == (True, steps)
    expected = nll_by_full_logits(a_model(model_type, **settings), passage)
    for way, tolerance in {choice.way: EXACT, **({"Cached": IN_STEPS} if steps else {})}.items():
        go(model, way)
        reading = Engine(model, way, 43, watches=False).read([passage])[0]
        np.testing.assert_allclose(reading.nll, expected, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "way"), [("Falcon-H1", "Whole"), ("Mamba", "Native"), ("Jamba", "Native")]
)
def test_what_is_lost_between_passes_shows_in_half_precision_too(name, way):
    """It changes the tokens at the beginning of each pass, which are not the median one."""
    model_type, settings, _ = HYBRIDS[name]
    model = a_model(model_type, **settings).to(torch.bfloat16)

    choice = choose(model, IDS, LONGEST, watches=name == "Falcon-H1")

    assert (choice.way, choice.resumes) == (way, False)


def nll_by_full_logits(model, passage):
    """By the model's own eager attention."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        logits = model(torch.tensor(passage.ids[None]), use_cache=False).logits[0]
    rows = np.arange(*passage.answer) - 1
    return -logits.log_softmax(-1).numpy()[rows, passage.ids[rows + 1]]


@pytest.mark.parametrize("asked", [{}, {"sliding_window": 24}])
def test_a_cache_that_forgets_is_compared_beyond_its_window(asked):
    model = a_model("mistral", **asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lccp_evaluator.passes.ways.check_attention", refused)
        assert choose(model, IDS, LONGEST, watches=False).resumes
        patch.setattr("lccp_evaluator.passes.ways.NAMED_TOKENS_MAX", 16)
        assert choose(model, IDS, LONGEST, watches=False).resumes is not bool(asked)


def refused(*_):
    raise InvalidInput("its attention is its own")


def test_rotations_that_depend_on_the_length_are_never_read_on(monkeypatch):
    monkeypatch.setattr("lccp_evaluator.passes.ways.check_attention", refused)
    model = a_model("llama", rope_parameters=STATEFUL["dynamic"] | {"rope_theta": 10_000.0})

    assert choose(model, IDS, LONGEST, watches=False) == Choice(
        "Native", "its attention is its own"
    )


@pytest.mark.parametrize("error", [MemoryError, torch.OutOfMemoryError])
def test_a_test_of_the_model_that_exceeds_the_memory_says_so(monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(Engine, "read", full)

    with pytest.raises(
        MemoryError, match=r"not enough memory to test model type 'llama' before measuring, in pass"
    ):
        choose(a_model("llama"), IDS, LONGEST, watches=False)


def test_a_model_whose_own_cache_exceeds_the_memory_is_read_whole(monkeypatch):
    monkeypatch.setattr("lccp_evaluator.passes.ways.check_attention", refused)
    before = Past.before

    def full(past, start):
        if start:
            raise torch.OutOfMemoryError
        return before(past, start)

    monkeypatch.setattr(Past, "before", full)

    assert choose(a_model("llama"), IDS, LONGEST, watches=False) == Choice(
        "Native", "its attention is its own"
    )


@pytest.mark.parametrize("tokens", [1, 2, 3])
@pytest.mark.parametrize("model_type", ["llama", "bloom"])
def test_prompts_of_a_few_tokens_are_enough_to_choose(model_type, tokens):
    choice = choose(a_model(model_type), IDS[:tokens], tokens, watches=False)

    assert choice.way == {"llama": "Forked", "bloom": "Native"}[model_type]


@pytest.mark.parametrize("watches", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["fp32", "bf16"])
@pytest.mark.parametrize("model_type", ["bert", "cpmant"])
def test_a_model_whose_tokens_see_later_ones_is_refused(model_type, dtype, watches):
    model = a_model(model_type, dim_head=8, dim_ff=16).to(dtype)

    with pytest.raises(InvalidInput, match=f"'{model_type}' cannot be .*no causal language model"):
        choose(model, IDS, LONGEST, watches)


@pytest.mark.parametrize("watches", [True, False])
def test_a_model_whose_own_code_fails_is_refused_with_its_error(watches):
    model = a_model("llama")
    model.model.norm = nn.Linear(8, 8)

    with pytest.raises(
        InvalidInput,
        match=r"'llama' cannot be evaluated: its own code fails on 48 tokens \(RuntimeError: mat1",
    ):
        choose(model, IDS, LONGEST, watches)


def test_attention_without_its_mask_function_is_refused(monkeypatch):
    model = a_model("llama")
    monkeypatch.delitem(AttentionMaskInterface._global_mapping, capture.NAME)

    with pytest.raises(InvalidInput, match=r"'llama' cannot be evaluated.*causal mask"):
        choose(model, IDS, LONGEST, watches=True)


def test_attention_of_its_own_is_refused_and_measured_without_heads(tmp_path):
    config = AutoConfig.for_model(
        "falcon", vocab_size=97, hidden_size=32, num_hidden_layers=2, num_attention_heads=4
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    model, ids = load_model(tmp_path, ExecutionPlan.here()).model, IDS[:100]

    with pytest.raises(
        InvalidInput, match=r"'falcon' cannot be .* not go through transformers' .* heads can be"
    ):
        choose(model, ids, len(ids), watches=True)
    assert choose(model, ids, len(ids), watches=False).way == "Native"


def test_positions_that_are_learned_are_no_obstacle():
    model = a_model("gpt2", n_embd=32, n_head=4, n_layer=3, n_positions=LONGEST)

    assert choose(model, IDS, LONGEST, watches=True) == Choice("Forked")


def test_attention_that_does_more_than_it_says_is_refused(monkeypatch):
    honest = modeling_llama.eager_attention_forward

    def sharper(*arguments, scaling, **options):
        return honest(*arguments, scaling=2 * scaling, **options)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", sharper)

    with pytest.raises(InvalidInput, match="does more than is known"):
        choose(a_model("llama").to(torch.bfloat16), IDS, LONGEST, watches=True)


class Shifted(nn.Module):
    """Adds the preceding token's value to every token: tokens are not computed independently."""

    def forward(self, hidden):
        return hidden + torch.nn.functional.pad(hidden, (0, 0, 1, 0))[:, :-1]


def test_layers_that_mix_neighbours_take_whole_passes():
    model = a_model("llama")
    layer = model.model.layers[1]
    layer.mlp = nn.Sequential(Shifted(), layer.mlp)

    choice = choose(model, IDS, LONGEST, watches=True)

    assert choice.way == "Whole"
    assert "shared beginnings change an NLL" in choice.reason


def test_weights_that_are_no_numbers_are_not_called_an_attention_problem():
    model = a_model("llama").to(torch.bfloat16)
    with torch.no_grad():
        model.model.layers[2].self_attn.v_proj.weight.fill_(float("nan"))

    with pytest.raises(NotFiniteModel, match=r"weights are not finite: model\.layers\.2"):
        choose(model, IDS, LONGEST, watches=True)
