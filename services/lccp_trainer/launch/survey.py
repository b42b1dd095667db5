"""A survey of a run's documents before it starts, made from their tokens."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lccp.api.objects.losses import PositionShare
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.probes import ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.documents import document_files
from lccp.probes.registry import PROBES
from lccp.probes.settings.prompts import Documents
from lccp.tokenizer import tokenizer_digest
from lccp_trainer.data.check.duplicates import Repeated, originals, repeated
from lccp_trainer.data.check.mixture import SourceFacts, position_bands
from lccp_trainer.data.check.near import nearly_equal
from lccp_trainer.data.check.overlap import Overlap, overlap
from lccp_trainer.data.documents import read_documents
from lccp_trainer.data.lines import Unreadable
from lccp_trainer.data.sharding import tokenized
from lccp_trainer.data.shards import TokenShards
from lccp_trainer.data.sources import check_source
from lccp_trainer.data.stream import open_stream
from lccp_trainer.launch.tokens import tokenizer_of
from lccp_trainer.model.source import context_length, read_config


@dataclass(frozen=True)
class Survey:
    """Findings in the sources that have a share of the tokens, in the manifest's order."""

    sources: list[SourceFacts]
    repeated: list[Repeated]
    """Documents equal to an earlier one."""
    nearly: list[Repeated]
    """Documents nearly equal to an earlier one, and equal to none."""
    bands: list[PositionShare]
    overlaps: dict[str, Overlap]
    """By the field of the evaluation that holds the documents' path."""


def survey(
    spec: LCCPRunSpec,
    base: Path,
    prepared: Mapping[str, Path],
) -> Survey:
    """Examine the documents of a run.

    Args:
        base: folder that relative paths of the spec start from.
        prepared: folder of tokens, by source name, of each source whose format is not Tokens.

    Raises:
        InvalidInput: a folder is incomplete, no document of a source is long enough, or a document
            of the evaluation can't be read.
    """
    directory, row = base / spec.model.source, spec.model.target_context_length
    context, budget = context_length(read_config(directory), directory), spec.trained.tokens
    stream = open_stream(spec.mixture, _folders(spec, base, prepared), (context, row))
    equal = originals(stream.shards)
    known = zip(stream.names, stream.packing.sources, stream.shards, strict=True)
    return Survey(
        sources=[SourceFacts.of(n, source, s.lengths(), row, budget) for n, source, s in known],
        repeated=repeated(stream.shards, equal),
        nearly=repeated(stream.shards, nearly_equal(stream.shards, equal)),
        bands=position_bands(stream, context, budget),
        overlaps=_overlaps(spec, base, stream.shards),
    )


def _folders(spec: LCCPRunSpec, base: Path, prepared: Mapping[str, Path]) -> list[Path | None]:
    """The folder of each source; None for a source without a share of the tokens."""
    digest = tokenizer_digest(base / spec.model.source)
    folders: list[Path | None] = []
    for number, source in enumerate(spec.mixture.sources):
        folder = prepared.get(source.name, base / source.path)
        if spec.mixture.share(source):
            if source.format == "Tokens":
                check_source(source, folder, f"data.sources[{number}]", digest)
            folders.append(folder)
        else:
            folders.append(None)
    return folders


def _overlaps(spec: LCCPRunSpec, base: Path, shards: Sequence[TokenShards]) -> dict[str, Overlap]:
    """The overlap of the probes' files with the shards, by field; equal files are read once."""
    found: dict[str, Overlap] = {}
    seen: set[tuple[str | None, str, str]] = set()
    for field, documents in _named(spec.evaluation.probes):
        read = documents.path, documents.format, documents.text_field
        if read not in seen:
            seen.add(read)
            texts = list(dict.fromkeys(_texts(documents, base, field)))
            tokenizer = tokenizer_of(spec.model, base / spec.model.source)
            found[field] = overlap(list(tokenized(texts, tokenizer)), shards)
    return found


def _named(probes: ProbesSpec) -> Iterator[tuple[str, Documents]]:
    """The documents that probes read, by the field that holds their path."""
    for name, settings in probes.asked().items():
        yield from PROBES[name].documents(settings).items()


def _texts(documents: Documents, base: Path, field: str) -> Iterator[str]:
    assert documents.path is not None
    for file in document_files(base / documents.path, documents.format, field):
        for read in read_documents(documents, file):
            if isinstance(read, Unreadable):
                raise InvalidInput(f"{field}: {read.place}: {read.reason}")
            yield read.text
