"""How many tokens a checkpoint was trained on: from an index, its trainer's state, or its name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lccp.contract.errors import InvalidInput
from lccp.contract.quantities import DECIMAL, TOKENS, TOKENS_MAX
from lccp_evaluator.series.files import read_object

TRAINER_STATE = "trainer_state.json"
"""Written by transformers' Trainer, as its last file."""

UNCOUNTED = (
    "index, trainer's state and name lack its tokens: give --tokens-per-step or --index (of a run: "
    "source.tokens)"
)

_NUMBER = r"(\d+(?:\.\d+)?)([kmbt]?)"
_WORD = r"(?<![a-z0-9])"
TOKENS_IN_NAME = (
    re.compile(rf"{_WORD}(?:tokens?|tok)[-_=]?{_NUMBER}(?![a-z0-9])"),
    re.compile(rf"{_WORD}{_NUMBER}[-_]?(?:tokens?|tok)(?![a-z0-9])"),
    re.compile(r"^(\d+(?:\.\d+)?)([bt])$"),
    re.compile(r"^(\d{15})()$"),
)
"""Each is tried on the whole name before the next: in `step-1000-tokens-4B`, 1000 are steps."""
STEP_IN_NAME = re.compile(
    rf"{_WORD}(?:checkpoint|ckpt|global[-_]?step|step|iteration|iter)[-_=]?(\d+)(?![a-z0-9.])"
)


@dataclass(frozen=True)
class Trained:
    """Tokens that a checkpoint was trained on, and optimizer steps (0: unknown)."""

    tokens: int
    step: int = 0


@dataclass(frozen=True)
class TokenCounts:
    """Sources of token counts, besides the checkpoints themselves."""

    index: Mapping[str, int] = field(default_factory=dict)
    """Tokens by the directory's name."""
    per_step: int | None = None
    index_alone: bool = False
    """Whether a checkpoint that the index does not name yet has no count."""

    def of(self, directory: Path) -> Trained | None:
        """The count of the checkpoint in `directory`; None if it is unknown.

        Given counts take precedence over the trainer's state, and the state over the name.
        Raises InvalidInput if the state is damaged.
        """
        state = _state(directory)
        step = state.step if state else step_in(directory.name)
        told = self.index.get(directory.name)
        if told is None and self.index_alone:
            return None
        if told is None and step is not None and self.per_step:
            told = step * self.per_step
        if told is None and state is not None and state.tokens:
            told = state.tokens
        if told is None:
            told = tokens_in(directory.name)
        if told is None or told > TOKENS_MAX:
            return None
        return Trained(told, step or 0)

    def asked(self, directory: Path) -> Trained:
        """The count of the checkpoint in `directory`. Raises InvalidInput if it is unknown."""
        found = self.of(directory)
        if found is None:
            raise InvalidInput(
                f"{directory}: neither its name nor {TRAINER_STATE} contains the tokens it was "
                "trained on: give --tokens-per-step if one has its step, else --index or --tokens"
            )
        return found


def tokens_in(name: str) -> int | None:
    """Tokens in a name: `5B`, `step1000-tokens4B`, `tokens_250M`, or our own 15 digits."""
    matches = (pattern.search(name.lower()) for pattern in TOKENS_IN_NAME)
    match = next((found for found in matches if found), None)
    if match is None:
        return None
    number, unit = match.groups()
    return round(float(number) * DECIMAL.get(unit.upper(), 1))


def step_in(name: str) -> int | None:
    """The step in a name: `checkpoint-500`, `global_step1000`, `iter_0001000`."""
    match = STEP_IN_NAME.search(name.lower())
    return int(match[1]) if match else None


def _state(directory: Path) -> Trained | None:
    path = directory / TRAINER_STATE
    if not path.is_file():
        return None
    document = read_object(path)
    step, tokens = (document.get(k, 0) for k in ("global_step", "num_input_tokens_seen"))
    if not isinstance(step, int) or not isinstance(tokens, int):
        raise InvalidInput(f"{path}: global_step and num_input_tokens_seen must be whole numbers")
    return Trained(tokens, step)


def index_of(document: object, where: str) -> dict[str, int]:
    """An index: tokens by directory name, such as `checkpoint-500: 2B`.

    Raises InvalidInput, naming the entry.
    """
    if not isinstance(document, dict):
        raise InvalidInput(f"{where}: must be a mapping from names of directories to tokens")
    return {str(name): _count(value, f"{where}: {name}") for name, value in document.items()}


def _count(value: object, where: str) -> int:
    try:
        return TOKENS.parse_or_zero(value)
    except ValueError as error:
        raise InvalidInput(f"{where}: {error}") from None
