"""The frozen samples of a probe: drawn once for a run, answered by every checkpoint.

`samples/<probe>/<digest>.jsonl.gz` holds one JSON object per line: a header, then parts, which are
token ids that samples have in common (a haystack, a needle, a question), then the samples. A sample
is a sequence of slices of parts, and the judged spans in it.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.sampling.header import Header
from lccp_evaluator.sampling.sources.files import Digests

KINDS = ("header", "part", "sample")
DAMAGES = (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError, RecursionError)
DAMAGED = "is damaged: delete it to draw the samples anew"

Ids = NDArray[np.int32]

Span = tuple[int, int]
"""[start, stop) in the tokens of a sample."""

Slice = tuple[int, int, int]
"""Number of a part, and [start, stop) in its tokens."""


Labels = dict[str, int | float]
"""What distinguishes a sample from the others."""


class Sample(Contract):
    """One sample; `labels` distinguish it from the others."""

    kind: Literal["sample"] = "sample"
    role: Annotated[str, Field(description="Its role in its probe.")] = ""
    slices: Annotated[tuple[Slice, ...], Field(description="Its tokens.")]
    answer: Annotated[Span, Field(description="Tokens that are judged.")]
    key_start: Annotated[int, Field(description="Tokens of the answer before its key.")] = 0
    needle: Annotated[
        Span | None, Field(description="Tokens that the answer repeats; heads are watched there.")
    ] = None
    labels: Labels = {}
    keys: Annotated[
        tuple[int, ...] | None,
        Field(description="Numbers of the judged tokens that a model chose."),
    ] = None

    @property
    def length(self) -> int:
        """Its number of tokens."""
        return sum(stop - start for _, start, stop in self.slices)


@dataclass
class Drawn:
    """Parts and samples, as a generator assembles them."""

    parts: list[Ids] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def part(self, ids: Iterable[int] | Ids) -> Slice:
        """A slice that is all of a new part."""
        self.parts.append(np.array(ids if isinstance(ids, np.ndarray) else list(ids), np.int32))
        return len(self.parts) - 1, 0, len(self.parts[-1])


def part_of(whole: Slice, start: int, stop: int) -> Slice:
    """Tokens [start, stop) of `whole`."""
    number, first, _ = whole
    return number, first + start, first + stop


@dataclass(frozen=True)
class FrozenSamples:
    """All samples of a probe in a run."""

    header: Header
    parts: tuple[Ids, ...]
    samples: tuple[Sample, ...]

    @classmethod
    def of(
        cls,
        drawn: Drawn,
        probe: str,
        version: int,
        settings: dict[str, Any],
        tokenizer_digest: str,
        vocabulary: int,
        files: Digests,
        whole: Sequence[str] = (),
    ) -> Self:
        """What a generator of this version drew with these settings from these files.

        `whole` are the fields whose files were all read to the end.
        """
        header = Header(
            probe=probe,
            version=version,
            settings=settings,
            tokenizer_digest=tokenizer_digest,
            vocabulary=vocabulary,
            names=drawn.names,
            notes=tuple(drawn.notes),
            files=files,
            whole=tuple(sorted(whole)) or None,
        )
        return cls(header, tuple(drawn.parts), tuple(drawn.samples))

    def passage(self, sample: Sample) -> Passage:
        """The tokens of `sample`, as a passage for the engine."""
        return Passage(self.tokens(sample, (0, sample.length)), sample.answer, sample.needle)

    def tokens(self, sample: Sample, span: Span) -> Ids:
        """The ids in a span of `sample`."""
        found, at = [], 0
        for number, start, stop in sample.slices:
            first, last = max(span[0] - at, 0), min(span[1] - at, stop - start)
            if first < last:
                found.append(self.parts[number][start + first : start + last])
            at += stop - start
        return np.concatenate(found)

    def cohorts(self) -> list[list[int]]:
        """Numbers of the samples, grouped by the part with most of their tokens.

        Samples of a cohort begin alike, if any samples do.
        """
        groups: dict[int, list[int]] = {}
        for number, sample in enumerate(self.samples):
            counts: Counter[int] = Counter()
            for part, start, stop in sample.slices:
                counts[part] += stop - start
            groups.setdefault(counts.most_common(1)[0][0], []).append(number)
        return list(groups.values())

    @property
    def largest_id(self) -> int:
        """The largest token id of all samples."""
        return max(int(part.max()) for part in self.parts if len(part))

    def check_vocabulary(self, embeddings: int, directory: Path) -> None:
        """Raise InvalidInput if the model in `directory` has too few `embeddings` for the ids."""
        if self.largest_id >= embeddings:
            raise InvalidInput(
                f"{directory}: has embeddings for {embeddings} tokens, but its tokenizer has "
                f"{self.header.vocabulary}: model and tokenizer do not belong together"
            )

    @cached_property
    def _text(self) -> bytes:
        parts = ({"kind": "part", "ids": part.tolist()} for part in self.parts)
        documents = (self.header.document(), *parts, *(one.document() for one in self.samples))
        return "".join(map(_line, documents)).encode()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the uncompressed lines: settings, tokenizer, generator and all tokens."""
        return hashlib.sha256(self._text).hexdigest()

    @cached_property
    def name(self) -> str:
        """Digest of what was drawn: equal settings give equal names, whichever keys were chosen."""
        if self.header.chosen_by is None:
            return self.digest
        header = self.header.model_copy(update={"chosen_by": None})
        samples = (one.model_copy(update={"keys": None}) for one in self.samples)
        return replace(self, header=header, samples=tuple(samples)).digest

    def marked(self, keys: Sequence[tuple[int, ...]], chosen_by: str) -> Self:
        """These samples with the `keys` of each, which `chosen_by` chose."""
        pairs = zip(self.samples, keys, strict=True)
        samples = tuple(sample.model_copy(update={"keys": own}) for sample, own in pairs)
        header = self.header.model_copy(update={"chosen_by": chosen_by})
        return replace(self, header=header, samples=samples)

    def to_bytes(self) -> bytes:
        """The file; equal samples give equal bytes."""
        return gzip.compress(self._text, mtime=0)

    @classmethod
    def from_bytes(cls, data: bytes, where: str) -> Self:
        """The samples in the file `where`. Raises InvalidInput if it is damaged."""
        try:
            found: dict[str, list[Any]] = {kind: [] for kind in KINDS}
            for kind, value in _values(gzip.decompress(data).splitlines(), where):
                found[kind].append(value)
            (header,) = found["header"]
            return cls(header, tuple(found["part"]), tuple(found["sample"]))
        except DAMAGES:
            raise InvalidInput(f"{where}: {DAMAGED}") from None


def header_of(data: bytes, where: str) -> Header:
    """The header of the samples in the file `where`. Raises InvalidInput if it is damaged."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as lines:
            ((_, header),) = _values([lines.readline()], where)
    except DAMAGES:
        raise InvalidInput(f"{where}: {DAMAGED}") from None
    assert isinstance(header, Header)
    return header


def _values(lines: Iterable[bytes], where: str) -> Iterator[tuple[str, Any]]:
    """Kind and value of every line."""
    for line in lines:
        document = json.loads(line)
        match kind := document["kind"]:
            case "part":
                yield kind, np.array(document["ids"], dtype=np.int32)
            case "header":
                yield kind, Header.parse(document, where)
            case _:
                yield kind, Sample.parse(document, where)


def _line(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n"
