"""Rebuild examples/tiny: the documents, the tokenizer, and the base model that the demo extends."""

import argparse
import hashlib
import random
from collections.abc import Iterator
from pathlib import Path

import torch
from documents import (
    CORPORA,
    Tokens,
    document,
    needle_people,
    vocabulary,
    write,
)
from rich.progress import track
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import WordLevel
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast
from transformers.modeling_utils import PreTrainedModel

HERE = Path(__file__).parent
SPECIAL_TOKENS = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<eos>"}

CONTEXT_TOKENS = 256
ROPE_BASE = 10_000.0
STEPS = 3_000
BATCH_ROWS = 8
SHORT_ROW_SHARE = 0.25
LEARNING_RATE = 3e-3
SEED = 0


def build_tokenizer() -> PreTrainedTokenizerFast:
    """One token per word or punctuation mark, case and white space ignored."""
    words = [*SPECIAL_TOKENS.values(), *vocabulary()]
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>"))
    backend.normalizer = normalizers.Lowercase()
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=backend, **SPECIAL_TOKENS)


def build_model(tokenizer: PreTrainedTokenizerFast) -> PreTrainedModel:
    config = AutoConfig.for_model(
        "hunyuan_v1_moe",
        vocab_size=len(tokenizer),
        num_hidden_layers=3,
        hidden_size=96,
        intermediate_size=96,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=24,
        num_experts=4,
        moe_topk=1,
        max_position_embeddings=CONTEXT_TOKENS,
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_BASE},
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        eod_token_id=tokenizer.eos_token_id,
        sep_token_id=None,
    )
    return AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")


def row(rng: random.Random) -> list[Tokens]:
    """One training row of CONTEXT_TOKENS tokens: the start of one document, or short ones packed."""
    if rng.random() > SHORT_ROW_SHARE:
        return [document(rng, CONTEXT_TOKENS, needle_people())[:CONTEXT_TOKENS]]
    packed: list[Tokens] = []
    room = CONTEXT_TOKENS
    while room:
        short = [*document(rng, rng.randint(40, 88), needle_people()), "<eos>"]
        packed.append(short[:room])
        room -= len(packed[-1])
    return packed


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[dict[str, torch.Tensor]]:
    """Endless batches [BATCH_ROWS, CONTEXT_TOKENS]; positions restart with every document."""
    rng = random.Random(seed)
    ids = tokenizer.get_vocab()
    while True:
        rows = [row(rng) for _ in range(BATCH_ROWS)]
        tokens = [[ids[t.lower()] for document in packed for t in document] for packed in rows]
        positions = [[p for document in packed for p in range(len(document))] for packed in rows]
        yield {"input_ids": torch.tensor(tokens), "position_ids": torch.tensor(positions)}


def train(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, seed: int) -> float:
    """Train at a constant rate; return the mean loss of the last 100 steps, in nats per token."""
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.95), weight_decay=0.0
    )
    losses: list[float] = []
    steps = zip(range(STEPS), batches(tokenizer, seed))
    for _, batch in track(steps, description="base model", total=STEPS):
        loss = model(**batch, labels=batch["input_ids"]).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return sum(losses[-100:]) / 100


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> Path:
    """The Hugging Face directory, weights rounded to float16, meant to be computed in float32."""
    model.to(torch.float16).save_pretrained(folder)
    model.config.dtype = torch.float32
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = folder / "model.safetensors"
    weights.chmod(0o644)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE, help="folder of data/ and model/")
    parser.add_argument("--seed", type=int, default=SEED)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(arguments.seed)

    (arguments.out / "data").mkdir(parents=True, exist_ok=True)
    for corpus in track(CORPORA, description="documents"):
        write(corpus, arguments.out / "data")
    tokenizer = build_tokenizer()
    model = build_model(tokenizer)
    loss = train(model, tokenizer, arguments.seed)
    weights = save(model, tokenizer, arguments.out / "model")
    print(loss, weights.stat().st_size, hashlib.sha256(weights.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
