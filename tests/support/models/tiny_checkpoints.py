"""Tokenizers of the usual kinds, and Hugging Face directories of tiny random models with them."""

import json
import shutil
import string
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tiny_models import a_model
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

from lccp.probes.settings.needles import DEFAULT_NEEDLES
from lccp_evaluator.sampling.sources.builtin import paragraphs

TOKENS = 500
PARAGRAPHS = 60
WORDS = 'The Work. "You" (or "Your") may. Each Work?'
SPECIAL_TOKENS = {"unk_token": "<unk>", "bos_token": "<s>", "eos_token": "</s>"}


def _texts() -> list[str]:
    needles = [f"{n.question} {n.stem} {n.key}" for n in DEFAULT_NEEDLES]
    text = islice(paragraphs("English", "haystacks"), PARAGRAPHS)
    asked = ["Question: Answer: Question: Answer:"] * 2
    return [*text, *needles, *asked, *[WORDS] * 20, string.printable]


def _byte_pairs() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS,
        special_tokens=list(SPECIAL_TOKENS.values()),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer


def _pieces_with_bos() -> Tokenizer:
    """As Llama 2 has them: a mark for white space, one before the text, and BOS."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(
        vocab_size=TOKENS, special_tokens=list(SPECIAL_TOKENS.values()), show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", tokenizer.token_to_id("<s>"))]
    )
    return tokenizer


def _words() -> Tokenizer:
    """As the tiny example has them: no white space, no case."""
    tokenizer = Tokenizer(models.WordLevel(unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(
        special_tokens=list(SPECIAL_TOKENS.values()), show_progress=False
    )
    tokenizer.train_from_iterator(_texts(), trainer)
    return tokenizer


KINDS = {"byte pairs": _byte_pairs, "pieces with BOS": _pieces_with_bos, "words": _words}


@cache
def a_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=KINDS[kind](), **SPECIAL_TOKENS)


def a_checkpoint(
    directory: Path,
    kind: str = "byte pairs",
    seed: int = 0,
    model_type: str = "hunyuan_v1_moe",
    **settings: Any,
) -> Path:
    """The directory of a random model with a context of 512 tokens."""
    made = Path(_made(kind, seed, model_type, json.dumps(settings)).name)
    shutil.copytree(made, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)
    return directory


@cache
def _made(kind: str, seed: int, model_type: str, settings: str) -> TemporaryDirectory[str]:
    tokenizer, folder = a_tokenizer(kind), TemporaryDirectory(ignore_cleanup_errors=True)
    sizes = {"moe_topk": 1, "vocab_size": len(tokenizer)} | json.loads(settings)
    model = a_model(model_type, **sizes)
    torch.manual_seed(seed)
    with torch.no_grad():
        model.model.layers[0].self_attn.q_proj.weight.normal_()
    model.save_pretrained(folder.name)
    tokenizer.save_pretrained(folder.name)
    return folder
