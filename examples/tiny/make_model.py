"""Rebuild examples/tiny: the documents, the tokenizer, and the base model that the demo extends."""

import argparse
import hashlib
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from batches import (
    BATCH_ROWS,
    CONTEXT_TOKENS,
    FLAWED_STEPS,
    SPECIAL_TOKENS,
    STEPS,
    TRAINED_TOKENS,
    batches,
    encode,
    flawed_batches,
)
from documents import CORPORA, FLAWED, NEEDLES, vocabulary, write
from rich.progress import track
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.modeling_utils import PreTrainedModel

HERE = Path(__file__).parent

ROPE_BASE = 10_000.0
INITIALIZER_RANGE = 0.05
ATTENTION_NORM_WEIGHT = 2.0
LEARNING_RATE = 3e-3
FLAWED_WARMUP_STEPS = 50
SEED = 0


MEASURED_LENGTHS = (128, 256, 384, 512)
DEPTHS_PERCENT = (0, 25, 50, 75, 100)


@dataclass(frozen=True)
class Measured:
    """Results of one build, for its card; `loss` in nats a token, `retrieval` by prompt length."""

    seed: int
    seconds: float
    loss: float
    parameters: int
    retrieval: dict[int, float]
    sha256: str


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word or punctuation mark; case and white space are ignored."""
    words = [*SPECIAL_TOKENS.values(), *vocabulary()]
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL_TOKENS)


def build_model(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    config = AutoConfig.for_model(
        "hunyuan_v1_moe",
        vocab_size=len(tokenizer),
        num_hidden_layers=3,
        hidden_size=96,
        intermediate_size=96,
        num_attention_heads=4,
        num_key_value_heads=4,
        head_dim=32,
        num_experts=4,
        moe_topk=1,
        max_position_embeddings=CONTEXT_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        tie_word_embeddings=True,
        initializer_range=INITIALIZER_RANGE,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        eod_token_id=tokenizer.eos_token_id,
        sep_token_id=None,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    for name, parameter in model.named_parameters():
        if name.endswith(("query_layernorm.weight", "key_layernorm.weight")):
            torch.nn.init.constant_(parameter, ATTENTION_NORM_WEIGHT)
    return model


def warming(step: int) -> float:
    """The learning rate of the second part, which starts with a new optimizer."""
    return LEARNING_RATE * min(1.0, (step + 1) / FLAWED_WARMUP_STEPS)


def train(
    model: PreTrainedModel,
    some: Iterable[dict[str, torch.Tensor]],
    rate: Callable[[int], float],
) -> float:
    """Train with a new optimizer; the mean loss of the last 100 steps, in nats per token."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0
    )
    losses: list[float] = []
    for step, batch in enumerate(some):
        optimizer.param_groups[0]["lr"] = rate(step)
        loss = model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses[-100:]) / 100


@torch.no_grad()
def retrieval(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, tokens: int) -> float:
    """Share of needles, over depths, whose key is the arg-max in a prompt of `tokens` tokens."""
    haystacks = next(corpus for corpus in CORPORA if corpus.name == "haystack").documents()
    found: list[bool] = []
    for needle, haystack in zip(NEEDLES, haystacks, strict=False):
        sentence = tokenizer(f"{needle['stem']} {needle['key']}")["input_ids"]
        question = tokenizer(f"Question: {needle['question']} Answer:")["input_ids"]
        key_tokens = len(tokenizer(needle["key"])["input_ids"])
        room = tokens - 2 * len(sentence) - len(question)
        text = encode(tokenizer, haystack)[:room]
        cuts = [room * depth // 100 for depth in DEPTHS_PERCENT]
        prompts = [text[:cut] + sentence + text[cut:] + question + sentence for cut in cuts]
        logits = model(torch.tensor(prompts), logits_to_keep=key_tokens + 1).logits[:, :-1]
        key = torch.tensor(sentence[-key_tokens:])
        found += (logits.argmax(-1) == key).all(-1).tolist()
    return sum(found) / len(found)


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """Save the Hugging Face directory: weights in float16, for computation in float32."""
    model.to(torch.float16).save_pretrained(folder)
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.chmod(0o644)
    return weights


def card(measured: Measured) -> str:
    rows = [f"| {tokens} | {share:.2f} |" for tokens, share in measured.retrieval.items()]
    return (
        (HERE / "card_template.md")
        .read_text()
        .format(
            context=CONTEXT_TOKENS,
            millions=measured.parameters / 1e6,
            million_tokens=TRAINED_TOKENS / 1e6,
            steps=STEPS + FLAWED_STEPS,
            rows=BATCH_ROWS,
            learning_rate=LEARNING_RATE,
            flawed_steps=FLAWED_STEPS,
            errors_percent=100 * FLAWED.errors,
            rope_base=ROPE_BASE,
            minutes=measured.seconds / 60,
            seed=measured.seed,
            torch=torch.__version__,
            transformers=transformers.__version__,
            loss=measured.loss,
            sha256=measured.sha256,
            retrieval="\n".join(rows),
            words=len(vocabulary()),
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of data/ and model/")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(arguments.seed)

    data, folder = arguments.out / "data", arguments.out / "model"
    data.mkdir(parents=True, exist_ok=True)
    for corpus in track(CORPORA, description="documents"):
        write(corpus, data)

    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    start = time.monotonic()
    constant = track(batches(tokenizer, arguments.seed), "base model", total=STEPS)
    train(model, constant, lambda _: LEARNING_RATE)
    save(model, tokenizer, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    flawed = track(flawed_batches(tokenizer), "flawed documents", total=FLAWED_STEPS)
    loss = train(model, flawed, warming)
    seconds = time.monotonic() - start
    weights = save(model, tokenizer, folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    measured = Measured(
        seed=arguments.seed,
        seconds=seconds,
        loss=loss,
        parameters=model.num_parameters(),
        retrieval={tokens: retrieval(model, tokenizer, tokens) for tokens in MEASURED_LENGTHS},
        sha256=hashlib.sha256(weights.read_bytes()).hexdigest(),
    )
    (folder / "README.md").write_text(card(measured))
    print(f"{folder}: loss {loss:.3f}, retrieved {measured.retrieval}")


if __name__ == "__main__":
    main()
