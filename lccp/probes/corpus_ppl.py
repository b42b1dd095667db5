"""Perplexity of whole documents of one length (after arXiv 2604.02650, section 6).

A corpus provides documents with at least as many tokens as the target context. Each is read from
its beginning, by teacher forcing, as one passage of exactly that many tokens, including those that
the tokenizer puts before every text. Nothing is joined or padded, and no window slides. With NLL
the mean over all tokens of a document except the first:

- `corpus_ppl/c` is `exp` of the mean NLL of the documents of corpus c, equally weighted.
- `corpus_tail_ppl/c` is the same over their last tokens only (500 by default), which have the
  whole context before them: what more context is worth shows here undiluted.
- `corpus_ppl_guard/c` is the same over their first tokens, as many as the source context holds;
  `corpus_ppl_short/c`, over their first 4K. Neither should get worse; a verdict watches those that
  `saturation.guards` names. Where both lengths are equal, the shorter one's signal is not measured.

Against tokens N of training the first is expected to follow `PPL = A ln N + B`, which the forecast
of a signal fits. The SHA-256 of every document's text is in the report: none may be in the training
data. Clusters: documents.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, rules
from lccp.contract.errors import InvalidInput
from lccp.contract.quantities import ContextLength
from lccp.contract.signals import Band, Better, Scale, Signal
from lccp.probes.probe import Axis, ClusterKind, Contexts, Probe, Profile, SignalCurves
from lccp.probes.settings import context_lengths
from lccp.probes.settings.prompts import Documents

SHORT_TOKENS = 4_096
LENGTHS = ("length", "guard_length", "short_length")
REPEATED_NAME = "names of corpora must be distinct"


class Corpus(Documents):
    """Documents of one kind, such as a language."""

    name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=32,
            pattern=r"^[a-z0-9][-a-z0-9]*$",
            description="Its name in signals.",
        ),
    ]


DEFAULT_CORPORA = (
    Corpus(name="english"),
    Corpus(name="chinese", language="Chinese"),
    Corpus(name="code", language="Code"),
)


class CorpusPplSettings(Contract):
    """Perplexity of whole documents, by corpus and by position."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(distinct("self.corpora.map(c, c.name)"), REPEATED_NAME, ".corpora")
        )
    )

    corpora: Annotated[
        tuple[Corpus, ...],
        Field(
            max_length=8,
            description="Texts that are not in the training data; the first documents of each that "
            "are long enough are taken. Default: text that LCCP generates, which says little of a "
            "language.",
        ),
    ] = ()
    length: Annotated[
        ContextLength | None,
        Field(description="Tokens of a document; default: the target context."),
    ] = None
    guard_length: Annotated[
        ContextLength | None,
        Field(description="Tokens of a beginning that is a guard; default: the source context."),
    ] = None
    short_length: Annotated[
        ContextLength | None,
        Field(description="The same, shorter; default: 4K, or the source context if it is less."),
    ] = None
    documents: Annotated[
        StrictInt, Field(ge=2, le=1_000, description="Documents of each corpus.")
    ] = 20
    tail_tokens: Annotated[
        StrictInt,
        Field(ge=1, le=65_536, description="Last tokens, with a signal of their own."),
    ] = 500
    bands: Annotated[
        StrictInt, Field(ge=2, le=64, description="Bands of position in the details.")
    ] = 16

    @model_validator(mode="after")
    def _is_consistent(self) -> "CorpusPplSettings":
        names = [corpus.name for corpus in self.corpora]
        if len(set(names)) < len(names):
            raise ValueError(REPEATED_NAME)
        return self


def resolved(settings: CorpusPplSettings, contexts: Contexts) -> CorpusPplSettings:
    """`settings` with the lengths to use. Raises InvalidInput if one does not fit."""
    length = settings.length or contexts.target
    guard = settings.guard_length or min(contexts.source, length)
    short = settings.short_length or min(SHORT_TOKENS, guard)
    used = dict(zip(LENGTHS, (length, guard, short), strict=True))
    for name, one in used.items():
        path = context_lengths.field_path("corpus_ppl", name)
        context_lengths.resolved((one,), (), contexts, path)
        if not 2 <= one <= length:
            raise InvalidInput(
                f"evaluation.probes.{path}: {one} is not between 2 tokens and the length of a "
                f"document ({length:,})"
            )
    update = {"corpora": settings.corpora or DEFAULT_CORPORA, **used}
    return settings.model_copy(update=update)


def clusters(settings: CorpusPplSettings) -> tuple[ClusterKind, ...]:
    """The documents of each corpus."""
    return (ClusterKind("document", settings.documents, "Text"),)


def documents(settings: CorpusPplSettings) -> dict[str, Documents]:
    """The corpora that are in files."""
    return {
        f"evaluation.probes.corpusPpl.corpora[{number}].path": corpus
        for number, corpus in enumerate(settings.corpora)
        if corpus.path is not None
    }


def signals(settings: CorpusPplSettings) -> tuple[Signal, ...]:
    """Signals of all corpora."""
    return tuple(
        signal for corpus in settings.corpora or DEFAULT_CORPORA for signal in _of(corpus.name)
    )


def _of(name: str) -> Iterator[Signal]:
    def signal(kind: str, title: str, band: Band) -> Signal:
        return Signal(
            name=f"{kind}/{name}",
            title=f"{title}, {name}",
            unit="PPL",
            scale=Scale.LOG,
            better=Better.LOWER,
            band=band,
        )

    yield signal("corpus_ppl", "Corpus PPL", "extension")
    yield signal("corpus_tail_ppl", "Corpus PPL at the end", "extension")
    yield signal("corpus_ppl_guard", "Corpus PPL, source", "guard")
    yield signal("corpus_ppl_short", "Corpus PPL, short", "guard")


PROBE = Probe(
    name="corpus_ppl",
    description="Perplexity of whole documents.",
    definition=__doc__,
    version=1,
    settings=CorpusPplSettings,
    default=None,
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    charts=(
        SignalCurves(
            "Corpus perplexity against tokens",
            "Above, over whole documents at the target context, a line for each corpus, and dotted "
            "the law A ln N + B through it; below, over their last tokens, which have the whole "
            "context before them; at the bottom, over beginnings of the source context, which must "
            "not get worse.",
            (("corpus_ppl",), ("corpus_tail_ppl",), ("corpus_ppl_guard",)),
            log_law=("corpus_ppl",),
        ),
        SignalCurves(
            "Corpus perplexity against the logarithm of tokens",
            "The same, over whole documents: what follows the law is on its straight dotted "
            "line. A curve that flattens above the line learns more slowly than before.",
            (("corpus_ppl",),),
            log_law=("corpus_ppl",),
            log_tokens=True,
        ),
        Profile(
            "Corpus perplexity by position",
            "Mean over all corpora, a line for each checkpoint. It should fall from left to right, "
            "since later tokens have more before them; where it rises, the context is not used.",
            array="ppl_by_position",
            unit="PPL",
            along=Axis("position", "position from (tokens)", "positions", "tokens"),
            scale=Scale.LOG,
        ),
    ),
    rules=tuple(context_lengths.one_within_target("corpus_ppl", name) for name in LENGTHS),
    fits=context_lengths.fits("corpus_ppl", *LENGTHS),
    documents=documents,
)
