"""A checkpoint's tokenizer, as far as samples need it: pieces of a prompt, and their offsets."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from lccp.contract.errors import InvalidInput

ANCHORS = ("a", ".")
"""Texts to tokenize a prompt's piece after, so that it is not taken for the beginning."""

MOST_UNKNOWN = 0.1
"""Largest share of unknown tokens in a text."""

SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half of a pair that stands for one character in UTF-16; alone it is no text."""

WITHOUT_SPACES = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese characters, and their punctuation."""


@dataclass(frozen=True)
class TokenizedText:
    """Token ids of a text, and the range of characters (start, end) that each token covers."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]

    def at(self, characters: tuple[int, int]) -> tuple[int, int]:
        """The tokens [first, last) that hold any of the characters [start, end)."""
        starts, stops = self._edges
        first = int(np.searchsorted(stops, characters[0], side="right"))
        last = int(np.searchsorted(starts, characters[1], side="left"))
        return first, last

    @cached_property
    def _edges(self) -> tuple[np.ndarray, np.ndarray]:
        edges = np.array(self.offsets, dtype=np.int64).reshape(-1, 2)
        return edges[:, 0].copy(), edges[:, 1].copy()


class Tokenizer:
    """The tokenizer in `directory`.

    Raises:
        InvalidInput: there is none, or it does not map tokens to characters.
    """

    def __init__(self, directory: Path, trust_remote_code: bool = False) -> None:
        from transformers import AutoTokenizer

        try:
            self.library = AutoTokenizer.from_pretrained(
                directory, local_files_only=True, trust_remote_code=trust_remote_code
            )
            """The tokenizer, as transformers loads it."""
        except MemoryError:
            raise
        except Exception as error:  # tokenizers raises Exception itself; a newer file is one cause
            raise InvalidInput(
                f"{directory}: contains no tokenizer that transformers can read "
                f"({_first_line(error)})"
            ) from None
        if not self.library.is_fast:
            raise InvalidInput(
                f"{directory}: its tokenizer has no tokenizer.json, which is needed to locate "
                "tokens in a text"
            )
        special = self.library("a", return_special_tokens_mask=True)
        mask = special["special_tokens_mask"]
        count = mask.index(0) if 0 in mask else 0
        self.leading: tuple[int, ...] = tuple(special["input_ids"][:count])
        """The leading tokens that it puts before every text, such as BOS."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return len(self.library)

    @property
    def unknown_id(self) -> int | None:
        unknown: int | None = self.library.unk_token_id
        return unknown

    def opening(self, text: str) -> TokenizedText:
        """`text` as the beginning of a prompt, without special tokens.

        A part of `text` that is spelled like one ("</s>") is ordinary text.
        """
        if SURROGATE.search(text):
            raise InvalidInput(
                "the text contains half of a surrogate pair, which no tokenizer accepts: write it "
                "as UTF-8"
            )
        encoding = self.library(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
        )
        return TokenizedText(
            tuple(encoding["input_ids"]), tuple(map(tuple, encoding["offset_mapping"]))
        )

    def following(self, text: str) -> TokenizedText:
        """`text`, tokenized as inside a prompt, after other text."""
        for anchor in ANCHORS:
            whole = self.opening(anchor + text)
            edge = len(anchor)
            count = sum(end <= edge for _, end in whole.offsets)
            if all(start >= edge for start, _ in whole.offsets[count:]):
                offsets = tuple((start - edge, end - edge) for start, end in whole.offsets[count:])
                return TokenizedText(whole.ids[count:], offsets)
        return self.opening(text)

    def text(self, ids: list[int]) -> str:
        """The text of `ids`, with special tokens spelled out."""
        return str(self.library.decode(ids, clean_up_tokenization_spaces=False))


def space_between(left: str, right: str) -> str:
    """A space, unless either text is, at the border, in a script that is written without."""
    return "" if WITHOUT_SPACES.search(left[-1] + right[0]) else " "


def check_known(ids: tuple[int, ...], tokenizer: Tokenizer, where: str, remedy: str) -> None:
    """Raise InvalidInput if more than a tenth of `ids` are the unknown token."""
    unknown = ids.count(tokenizer.unknown_id) if tokenizer.unknown_id is not None else 0
    if unknown > MOST_UNKNOWN * len(ids):
        raise InvalidInput(
            f"{where}: {100 * unknown / len(ids):.0f} % of its tokens are unknown to the model's "
            f"tokenizer: {remedy}"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
