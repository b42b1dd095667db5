"""The frozen samples of a run: drawn once, answered by every checkpoint.

`samples/<digest>.jsonl.gz` holds one JSON object a line: a header, then haystacks and needles as
token ids, then the samples, which name them and give every span. Samples are crossed: the same
haystacks with the same needles in every cell of length x depth. A sample of length L has exactly L
tokens, its answer included:

    opening | haystack before | needle | haystack after | question | answer

Needle and answer are the same tokens, tokenized after the same white space.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.errors import Incompatible, InvalidInput
from lccp_evaluator.passes.passage import Passage

GENERATOR_VERSION = 1
KINDS = ("header", "haystack", "needle", "sample")

Span = tuple[int, int]


class Header(Contract):
    """What the samples were drawn from."""

    kind: Literal["header"] = "header"
    generator_version: Annotated[int, Field(description="Version of the generator.")]
    settings: Annotated[dict[str, Any], Field(description="Probe `niah`, defaults resolved.")]
    tokenizer_digest: Annotated[str, Field(description="Digest of the tokenizer.")]
    vocabulary: Annotated[int, Field(description="Number of tokens of the tokenizer.")]
    opening: Annotated[tuple[int, ...], Field(description="Ids before the context, BOS first.")]


class HaystackLine(Contract):
    """Ids of a haystack, as many as the longest sample takes; shorter ones take its end."""

    kind: Literal["haystack"] = "haystack"
    ids: tuple[int, ...]


class NeedleLine(Contract):
    """A needle: its ids, where its key begins in them, and the ids from context to answer."""

    kind: Literal["needle"] = "needle"
    ids: tuple[int, ...]
    key_start: int
    question_ids: tuple[int, ...]


class Sample(Contract):
    """One sample; spans are [start, end) in its tokens."""

    kind: Literal["sample"] = "sample"
    length: int
    depth_percent: int
    achieved_depth_percent: float
    haystack: int
    needle: int
    needle_span: Span
    key_span: Span
    answer_span: Span
    answer_key_span: Span


@dataclass(frozen=True)
class FrozenSamples:
    """All samples of a run."""

    header: Header
    haystacks: tuple[NDArray[np.int32], ...]
    needles: tuple[NeedleLine, ...]
    samples: tuple[Sample, ...]

    def passage(self, sample: Sample) -> Passage:
        """The tokens of `sample`."""
        needle = self.needles[sample.needle]
        taken = sample.length - len(self.header.opening) - len(needle.question_ids)
        haystack = self.haystacks[sample.haystack]
        context = haystack[len(haystack) - (taken - 2 * len(needle.ids)) :]
        before = sample.needle_span[0] - len(self.header.opening)
        parts = (
            self.header.opening,
            context[:before],
            needle.ids,
            context[before:],
            needle.question_ids,
            needle.ids,
        )
        ids = np.concatenate([np.asarray(part, dtype=np.int64) for part in parts])
        return Passage(ids, sample.answer_span, sample.needle_span)

    def by_haystack(self) -> list[list[int]]:
        """Numbers of the samples, by haystack."""
        groups: dict[int, list[int]] = {}
        for number, sample in enumerate(self.samples):
            groups.setdefault(sample.haystack, []).append(number)
        return list(groups.values())

    @property
    def largest_id(self) -> int:
        """The largest token id of all samples."""
        needles = [max(*needle.ids, *needle.question_ids) for needle in self.needles]
        haystacks = [int(ids.max()) for ids in self.haystacks]
        return max(*self.header.opening, *needles, *haystacks)

    @cached_property
    def _text(self) -> bytes:
        haystacks = [HaystackLine(ids=tuple(ids.tolist())) for ids in self.haystacks]
        lines: Iterable[Contract] = (self.header, *haystacks, *self.needles, *self.samples)
        return "".join(_line(line) for line in lines).encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the uncompressed lines: settings, tokenizer, generator and all tokens."""
        return hashlib.sha256(self._text).hexdigest()

    def to_bytes(self) -> bytes:
        """The file; equal samples give equal bytes."""
        return gzip.compress(self._text, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """The samples in the file `where`. Raises InvalidInput if it is damaged."""
        try:
            documents = [json.loads(line) for line in gzip.decompress(data).splitlines()]
            kinds = {kind: [d for d in documents if d["kind"] == kind] for kind in KINDS}
            return cls(
                Header.parse(kinds["header"][0], where),
                tuple(np.array(line["ids"], dtype=np.int32) for line in kinds["haystack"]),
                tuple(NeedleLine.parse(line, where) for line in kinds["needle"]),
                tuple(Sample.parse(line, where) for line in kinds["sample"]),
            )
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
            raise InvalidInput(f"{where}: is damaged: delete it to draw the samples anew") from None

    def check(self, settings: dict[str, Any], tokenizer_digest: str, where: str) -> None:
        """Raise Incompatible unless these samples are those of `settings` and the tokenizer."""
        if self.header.generator_version != GENERATOR_VERSION:
            raise Incompatible(
                f"{where}: was drawn by version {self.header.generator_version} of the generator, "
                f"but this LCCP has version {GENERATOR_VERSION}: use the LCCP that drew it"
            )
        if self.header.tokenizer_digest != tokenizer_digest:
            raise Incompatible(
                f"{where}: was drawn with another tokenizer than the checkpoint's: all checkpoints "
                "of a run must have the same tokenizer"
            )
        if self.header.settings != settings:
            changed = [key for key in settings if self.header.settings.get(key) != settings[key]]
            raise Incompatible(
                f"{where}: was drawn with other settings of evaluation.probes.niah "
                f"({', '.join(changed) or 'fewer'}): use another run or folder for these"
            )


def _line(value: Contract) -> str:
    return json.dumps(value.document(), ensure_ascii=False, separators=(",", ":")) + "\n"
