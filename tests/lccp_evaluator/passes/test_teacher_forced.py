import numpy as np
import pytest
import torch
from tiny_models import a_model, a_passage
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import AttentionMaskInterface
from transformers.models.llama import modeling_llama

from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes import capture
from lccp_evaluator.passes.teacher_forced import Engine, Passage, Reading

YARN = {
    "rope_type": "yarn",
    "rope_theta": 10_000.0,
    "factor": 4.0,
    "original_max_position_embeddings": 128,
}
LATENT = {
    "q_lora_rank": 8,
    "kv_lora_rank": 8,
    "qk_rope_head_dim": 8,
    "qk_nope_head_dim": 8,
    "v_head_dim": 4,
    "num_key_value_heads": 4,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
}
ARCHITECTURES = {
    "hunyuan": ("hunyuan_v1_moe", {"moe_topk": 1}),
    "llama": ("llama", {}),
    "llama without groups": ("llama", {"num_key_value_heads": 4}),
    "qwen3-moe": ("qwen3_moe", {}),
    "window": ("mistral", {"sliding_window": 24}),
    "window on some layers": ("gemma3_text", {"sliding_window": 24}),
    "soft-cap and window": (
        "gemma2",
        {"sliding_window": 24, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0},
    ),
    "sinks and window": ("gpt_oss", {"sliding_window": 24, "rope_parameters": YARN}),
    "latent attention": ("deepseek_v3", LATENT),
}


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def model(request):
    model_type, settings = request.param
    return a_model(model_type, **settings)


def read_naively(model, passage: Passage) -> Reading:
    """The same by full logits and full attention weights of the model's own eager attention."""
    model.set_attn_implementation("eager")
    with torch.no_grad():
        output = model(torch.tensor(passage.ids[None]), output_attentions=True)
    model.set_attn_implementation(capture.NAME)
    rows = np.arange(*passage.answer) - 1
    targets = passage.ids[rows + 1]
    log_p = output.logits[0].double().log_softmax(-1).numpy()[rows]
    looked_at = np.stack([layer[0, :, rows].argmax(-1).numpy() for layer in output.attentions])
    start, stop = passage.needle
    is_copy = (looked_at >= start) & (looked_at < stop) & (passage.ids[looked_at] == targets)
    return Reading(
        nll=-log_p[np.arange(len(rows)), targets],
        is_arg_max=log_p.argmax(-1) == targets,
        copied=np.where(is_copy, looked_at - start, -1),
    )


BATCHES = {
    "one": [(40, 5)],
    "equal lengths, mixed answers": [(64, 4), (64, 11), (64, 7)],
    "mixed lengths": [(150, 9), (33, 3), (90, 12), (301, 6)],
}


@pytest.mark.parametrize("shape", BATCHES.values(), ids=BATCHES.keys())
def test_one_pass_gives_what_full_logits_and_eager_attention_give(model, shape):
    passages = [a_passage(*sizes, seed=i) for i, sizes in enumerate(shape)]

    for reading, given in zip(Engine(model).read(passages), passages, strict=True):
        expected = read_naively(model, given)
        assert np.abs(reading.nll - expected.nll).max() < 1e-5
        np.testing.assert_array_equal(reading.is_arg_max, expected.is_arg_max)
        np.testing.assert_array_equal(reading.copied, expected.copied)
        assert (reading.copied >= 0).any()


def test_the_check_against_eager_attention_accepts_the_architectures(model):
    Engine(model).check(a_passage(100, 5, seed=0).ids)


def test_tokens_after_a_row_change_nothing(model):
    given = a_passage(60, 8, seed=3)
    earlier = Passage(given.ids[:57], given.needle, (52, 57))
    later = Passage(given.ids, given.needle, (52, 60))

    alone, with_more = Engine(model).read([earlier])[0], Engine(model).read([later])[0]

    np.testing.assert_allclose(alone.nll, with_more.nll[:5], atol=1e-5)
    np.testing.assert_array_equal(alone.copied, with_more.copied[..., :5])


def a_model_that_looks_back(*tokens_back: int):
    """One layer; head i looks exactly `tokens_back[i]` tokens back, whatever the tokens are.

    The embedding's first value is the same for all tokens, and query and key read nothing else.
    A query is the key turned back by that many positions, so rotation makes their product largest
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

    reading = Engine(model).read(
        [Passage(ids, (start, start + answer), (length - answer, length))]
    )[0]

    np.testing.assert_array_equal(reading.copied[0, 0], np.arange(answer))
    assert (reading.copied[0, 1:] == -1).all()


def test_attention_without_its_mask_function_is_refused(monkeypatch):
    model = a_model("llama")
    monkeypatch.delitem(AttentionMaskInterface._global_mapping, capture.NAME)

    with pytest.raises(InvalidInput, match=r"'llama' cannot be evaluated.*causal mask"):
        Engine(model).check(a_passage(64, 5, seed=0).ids)


REFUSED = {
    "biased by distance": ("bloom", {}, "mask is not transformers' own"),
    "a mask of its own": ("mpt", {"d_model": 32, "n_heads": 4}, "mask is not transformers' own"),
    "chunked attention": ("llama4_text", {"attention_chunk_size": 16}, "neither causal nor a slid"),
    "layers without attention": (
        "qwen3_next",
        {"linear_num_key_heads": 2, "linear_num_value_heads": 2, "num_hidden_layers": 4},
        "1 of its 4 layers",
    ),
}


@pytest.mark.parametrize(("model_type", "settings", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_other_attention_is_refused_by_name(model_type, settings, why):
    model = a_model(model_type, **settings)

    with pytest.raises(
        InvalidInput, match=f"model type '{model_type}' cannot be evaluated: .*{why}"
    ):
        Engine(model).check(a_passage(64, 5, seed=0).ids)


def test_attention_that_does_more_than_it_says_is_refused(monkeypatch):
    honest = modeling_llama.eager_attention_forward

    def sharper(*arguments, scaling, **options):
        return honest(*arguments, scaling=2 * scaling, **options)

    monkeypatch.setattr(modeling_llama, "eager_attention_forward", sharper)

    with pytest.raises(InvalidInput, match="does more than is known"):
        Engine(a_model("llama")).check(a_passage(64, 5, seed=0).ids)


class LargestTensor(TorchDispatchMode):
    """Records the largest tensor that any operation makes."""

    numel = 0

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        result = operation(*arguments, **(options or {}))
        for value in result if isinstance(result, tuple | list) else (result,):
            if isinstance(value, torch.Tensor):
                self.numel = max(self.numel, value.numel())
        return result


def test_the_largest_tensor_grows_as_the_length_does(model, monkeypatch):
    # Inside composite operations the mode sees only outside inference mode.
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    largest = {}
    for length in (1_024, 2_048):
        with LargestTensor() as seen:
            Engine(model).read([a_passage(length, 8, seed=0)])
        largest[length] = seen.numel

    assert largest[2_048] <= 2.05 * largest[1_024]
    assert largest[2_048] < 2_048**2 / 2


def test_logits_exist_at_the_answer_alone(monkeypatch):
    monkeypatch.setattr(torch, "inference_mode", torch.no_grad)
    model = a_model("llama", vocab_size=50_000)
    with LargestTensor() as seen:
        Engine(model).read([a_passage(512, 8, seed=0)])

    assert seen.numel <= 32 * 50_000
