"""A checkpoint's tokenizer, as far as samples need it: pieces of a prompt, and their offsets."""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from lccp.contract.errors import InvalidInput

ANCHORS = ("a", ".")
"""Texts to tokenize a prompt's piece after, so that it is not taken for the beginning."""

MOST_UNKNOWN = 0.1
"""Largest share of unknown tokens in a text, and of characters for which there is no token."""

WRITTEN = "LNPS"
"""Kinds of characters that are written: letters, numbers, punctuation, symbols."""
SHOWN_CHARACTERS = 20

SURROGATE = re.compile(r"[\ud800-\udfff]")
"""Half of a pair that stands for one character in UTF-16; alone it is no text."""

WITHOUT_SPACES = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Chinese and Japanese characters, and their punctuation."""


@dataclass(frozen=True)
class TokenizedText:
    """Token ids of `text`, and the range of characters (start, end) that each token covers."""

    ids: tuple[int, ...]
    offsets: tuple[tuple[int, int], ...]
    text: str

    def at(self, characters: tuple[int, int]) -> tuple[int, int]:
        """The tokens [first, last) that hold any of the characters [start, end)."""
        starts, stops = self._edges
        first = int(np.searchsorted(stops, characters[0], side="right"))
        last = int(np.searchsorted(starts, characters[1], side="left"))
        return first, last

    @cached_property
    def left_out(self) -> str:
        """Written characters that are in no token, as many as the tokenizer passed over.

        It may have no token for unknown ones; offsets after such a one may then be too small.
        """
        changes = np.zeros(len(self.text) + 1, np.int64)
        for edges, change in zip(self._edges, (1, -1), strict=True):
            np.add.at(changes, edges, change)
        bare = np.flatnonzero(np.cumsum(changes[:-1]) == 0)
        return "".join(self.text[at] for at in bare if _is_written(self.text[at]))

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
        self.leading = self._leading()
        """The leading tokens that it puts before every text, such as BOS."""

    @property
    def vocabulary(self) -> int:
        """Number of tokens."""
        return len(self.library)

    @property
    def unknown_id(self) -> int | None:
        unknown: int | None = self.library.unk_token_id
        return unknown

    def _leading(self) -> tuple[int, ...]:
        special = set(self.library.all_special_ids)
        own = (one for one in range(self.vocabulary) if one not in special)
        for text in chain(ANCHORS, (self.library.decode([one]) for one in own)):
            found = self.library(text, return_special_tokens_mask=True)
            mask = found["special_tokens_mask"]
            if 0 in mask:
                return tuple(found["input_ids"][: mask.index(0)])
        return ()

    def marks(self, template: str, *texts: str) -> bool:
        """Whether `template`, which is filled with `texts`, holds special tokens of the tokenizer.

        Raises InvalidInput if one of the texts does too, which would then not be ordinary text.
        """
        if not self._special_in(template):
            return False
        for found in map(self._special_in, texts):
            if found:
                raise InvalidInput(
                    f"the text contains {found}, a special token of the model's tokenizer, as the "
                    "template does: leave it out, or use a template without special tokens"
                )
        return True

    def beginning(self, head: str) -> tuple[int, ...]:
        """Ids before the context of prompts: the leading tokens, then a template's `head`."""
        ids = self.opening(head, self.marks(head)).ids if head else ()
        return (*self.leading_of(ids), *ids)

    def leading_of(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """The leading tokens of a prompt with `ids`: none if it spells them out itself."""
        return () if ids[: len(self.leading)] == self.leading else self.leading

    def opening(self, text: str, is_marked: bool = False) -> TokenizedText:
        """`text` as the beginning of a prompt, without leading tokens.

        A part of `text` that is spelled like a special token ("</s>") is ordinary text, unless
        it is marked.

        Raises:
            InvalidInput: it is no text, or has too many characters for which there is no token.
        """
        return _checked(self._tokenized(text, is_marked))

    def knows(self, piece: TokenizedText) -> bool:
        """Whether there is a token for everything in `piece`."""
        return self.unknown_id not in piece.ids and not piece.left_out

    def _special_in(self, text: str) -> str | None:
        """A special token that `text` spells out."""
        return next((one for one in self._special if one in text), None)

    @cached_property
    def _special(self) -> list[str]:
        added = self.library.added_tokens_decoder.values()
        return [one.content for one in added if one.special]

    def _tokenized(self, text: str, is_marked: bool = False) -> TokenizedText:
        if SURROGATE.search(text):
            raise InvalidInput(
                "the text contains half of a surrogate pair, which no tokenizer accepts: write it "
                "as UTF-8"
            )
        encoding = self.library(
            text,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=not is_marked,
        )
        return TokenizedText(
            tuple(encoding["input_ids"]), tuple(map(tuple, encoding["offset_mapping"])), text
        )

    def following(self, text: str, is_marked: bool = False) -> TokenizedText:
        """`text`, tokenized as inside a prompt, after other text. See `opening`."""
        for anchor in ANCHORS:
            whole = self._tokenized(anchor + text, is_marked)
            edge = len(anchor)
            count = sum(end <= edge for _, end in whole.offsets)
            if all(start >= edge for start, _ in whole.offsets[count:]):
                offsets = tuple((start - edge, end - edge) for start, end in whole.offsets[count:])
                return _checked(TokenizedText(whole.ids[count:], offsets, text))
        return self.opening(text, is_marked)

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


def _checked(piece: TokenizedText) -> TokenizedText:
    """`piece`. Raises InvalidInput if too many of its characters are in no token."""
    written = sum(map(_is_written, piece.text)) if piece.left_out else 0
    if len(piece.left_out) > MOST_UNKNOWN * written:
        raise InvalidInput(
            f"the model's tokenizer leaves out {100 * len(piece.left_out) / written:.0f} % of the "
            f"characters of {piece.text.strip()[:SHOWN_CHARACTERS]!r}, and has no token for "
            "unknown ones: use text in its characters"
        )
    return piece


def _is_written(character: str) -> bool:
    return unicodedata.category(character)[0] in WRITTEN


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
