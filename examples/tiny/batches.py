"""The training data of examples/tiny's base model, batch by batch."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from documents import CLEAN, FLAWED, Style, Tokens, document
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "<eos>"}
CONTEXT_TOKENS = 256
BATCH_ROWS = 8
REPEAT_STEPS = 400
REPEAT_PERIODS = (8, 60)
SHORT_ROW_SHARE = 0.25
FLAWED_STEPS = 500
FLAWED_SEED = 5


@dataclass(frozen=True)
class Stage:
    """`steps` of BATCH_ROWS rows of `tokens` tokens."""

    steps: int
    tokens: int


STAGES = (Stage(800, 128), Stage(2_400, CONTEXT_TOKENS))
STEPS = REPEAT_STEPS + sum(stage.steps for stage in STAGES)
TRAINED_TOKENS = BATCH_ROWS * (
    REPEAT_STEPS * STAGES[0].tokens
    + sum(stage.steps * stage.tokens for stage in STAGES)
    + FLAWED_STEPS * CONTEXT_TOKENS
)


def packed_row(rng: random.Random, tokens: int, style: Style) -> list[Tokens]:
    """The documents of one row of `tokens` tokens: the start of one, or short ones packed."""
    if rng.random() > SHORT_ROW_SHARE:
        return [document(rng, tokens, style)[:tokens]]
    pieces: list[Tokens] = []
    room = tokens
    while room:
        short = [*document(rng, rng.randint(40, 88), style), "<eos>"]
        pieces.append(short[:room])
        room -= len(pieces[-1])
    return pieces


def batches(tokenizer: PreTrainedTokenizerFast, seed: int) -> Iterator[dict[str, torch.Tensor]]:
    """The batches of the whole training, [BATCH_ROWS, tokens] each.

    First random repeated words: they teach the model to look back within minutes; documents
    alone would take many more steps.
    """
    rng = random.Random(seed)
    for _ in range(REPEAT_STEPS):
        yield repeats(tokenizer, rng, STAGES[0].tokens)
    for stage in STAGES:
        for _ in range(stage.steps):
            yield documents_batch(tokenizer, rng, stage.tokens)


def repeats(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, tokens: int
) -> dict[str, torch.Tensor]:
    """Rows of random words, each row with its own period of repetition."""
    words = range(len(SPECIAL_TOKENS), len(tokenizer))
    rows = [
        (rng.choices(words, k=rng.randint(*REPEAT_PERIODS)) * tokens)[:tokens]
        for _ in range(BATCH_ROWS)
    ]
    return {"input_ids": torch.tensor(rows)}


def documents_batch(
    tokenizer: PreTrainedTokenizerFast, rng: random.Random, tokens: int, style: Style = CLEAN
) -> dict[str, torch.Tensor]:
    """Rows of documents; positions restart with every document."""
    rows = [packed_row(rng, tokens, style) for _ in range(BATCH_ROWS)]
    ids = [encode(tokenizer, [token for piece in row for token in piece]) for row in rows]
    positions = [[position for piece in row for position in range(len(piece))] for row in rows]
    return {"input_ids": torch.tensor(ids), "position_ids": torch.tensor(positions)}


def encode(tokenizer: PreTrainedTokenizerFast, tokens: Tokens) -> list[int]:
    return tokenizer.convert_tokens_to_ids([token.lower() for token in tokens])


def flawed_batches(tokenizer: PreTrainedTokenizerFast) -> Iterator[dict[str, torch.Tensor]]:
    """Batches of the second part, which teach the model never to be certain."""
    rng = random.Random(FLAWED_SEED)
    for _ in range(FLAWED_STEPS):
        yield documents_batch(tokenizer, rng, CONTEXT_TOKENS, FLAWED)
