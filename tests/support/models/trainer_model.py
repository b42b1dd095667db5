"""Makes the model and the documents for the trainer's tests: `trainer_model.py FOLDER`."""

import gzip
import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

WORDS = [f"w{number}" for number in range(60)]
SOURCE_CONTEXT = 64
POISON = "poison"
"""A word that the poisoned model can't stand: what it reads there is not a number."""


def save_model(folder: Path, poisoned: bool) -> None:
    vocabulary = {word: i for i, word in enumerate(["<pad>", "<unk>", "<eos>", *WORDS, POISON])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", unk_token="<unk>", eos_token="<eos>"
    )
    config = AutoConfig.for_model(
        "hunyuan_v1_moe",
        vocab_size=64,
        num_hidden_layers=2,
        hidden_size=32,
        intermediate_size=32,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        num_experts=4,
        moe_topk=1,
        max_position_embeddings=SOURCE_CONTEXT,
        rope_parameters={"rope_type": "default", "rope_theta": 10_000.0},
        tie_word_embeddings=not poisoned,
        bos_token_id=None,
        eos_token_id=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    if poisoned:
        with torch.no_grad():
            model.get_input_embeddings().weight[vocabulary[POISON]] = torch.nan
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def lines(rng: random.Random, count: int, words: tuple[int, int], poisoned: int = 0) -> bytes:
    """Documents that repeat themselves; the first `poisoned` ones hold a word of poison."""
    texts = []
    for number in range(count):
        part = rng.choices(WORDS, k=rng.randint(8, 16))
        length = rng.randint(*words)
        text = (part * (length // len(part) + 1))[:length]
        texts.append(" ".join(text if number >= poisoned else [POISON, *text[1:]]))
    return "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()


def make(root: Path) -> None:
    """Two models, of which one is poisoned, and `data`."""
    save_model(root / "model", poisoned=False)
    save_model(root / "poisoned", poisoned=True)
    data = root / "data"
    data.mkdir()
    rng = random.Random(0)
    (data / "long.jsonl").write_bytes(lines(rng, 100, (70, 300)))
    (data / "poisoned-once.jsonl").write_bytes(lines(rng, 40, (128, 128), poisoned=1))
    (data / "poisoned.jsonl").write_bytes(lines(rng, 40, (128, 128), poisoned=40))
    (data / "short.jsonl.gz").write_bytes(gzip.compress(lines(rng, 100, (4, 40)), mtime=0))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
