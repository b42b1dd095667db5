"""Perplexity of key tokens: those that a long context makes likely (LongPPL, arXiv 2410.23771).

The perplexity of a whole document mostly reflects tokens that the last few sentences predict. Key
tokens are those that they do not. Tokens of a document are judged from position `shortLength`
onwards: given the whole document before them (`long`), and given only its end (`short`). For the
latter the document is cut into windows of `shortLength` tokens, one every `stride` tokens, and the
last `stride` tokens of each are judged. A token is a key where

- `NLL_short - NLL_long > minGain` (nats): the long context gives it away, and
- `NLL_long < maxNll` (nats): the model is sure enough of it with that context.

Keys are chosen once, by the model in `keyModel` or else by the first evaluated checkpoint, and
frozen with the samples: all checkpoints answer for the same tokens. Windows are read only for that
choice. A checkpoint that does not yet use its context chooses few keys. If it chooses none, that
is refused: name a model that uses its context. With `k` the keys of a document:

- `long_ppl` is `exp` of the mean over documents of `(1/|k|) Σ NLL_long` over its keys.
- `long_ppl_other` is the same over its judged tokens that are not keys: the remainder of a plain
  perplexity.

A document without a key counts in neither. Keys that a checkpoint of the run chose were likely for
it by definition: its value is then too low (regression to the mean), and gains against it are too
small. Clusters: documents.
"""

from typing import Annotated

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.errors import InvalidInput
from lccp.contract.quantities import ContextLength, Decimal
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.probe import Axis, ClusterKind, Contexts, Probe, Profile, SignalCurves
from lccp.probes.settings import context_lengths
from lccp.probes.settings.prompts import Documents

SHORT_TOKENS = 4_096
STRIDES = 4
"""Of a short window, by default."""
LENGTHS = ("length", "short_length", "stride")


class LongPplSettings(Contract):
    """Perplexity of the tokens of whole documents that a long context makes likely."""

    texts: Annotated[
        Documents,
        Field(
            description="Texts that are not in the training data; the first documents that are "
            "long enough are taken."
        ),
    ]
    length: Annotated[
        ContextLength | None,
        Field(description="Tokens of a document; default: the target context."),
    ] = None
    short_length: Annotated[
        ContextLength | None,
        Field(
            description="Tokens of a short window; default: 4K, or half a document if it is less."
        ),
    ] = None
    stride: Annotated[
        ContextLength | None,
        Field(description="Tokens from window to window; default: a quarter of `shortLength`."),
    ] = None
    documents: Annotated[StrictInt, Field(ge=2, le=1_000, description="Documents.")] = 20
    min_gain: Annotated[
        float,
        Decimal(ge=0, le=20),
        Field(description="NLL that a key loses by the long context, in nats, at least."),
    ] = 2.0
    max_nll: Annotated[
        float,
        Decimal(gt=0, le=20),
        Field(description="NLL of a key with the long context, in nats, at most."),
    ] = 2.0
    key_model: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=1024,
            description="Directory of the model that chooses the keys, as the evaluator's pods see "
            "it; it must have the run's tokenizer. Default: the first checkpoint that is "
            "evaluated.",
        ),
    ] = None


def resolved(settings: LongPplSettings, contexts: Contexts) -> LongPplSettings:
    """`settings` with the lengths to use. Raises InvalidInput if one does not fit."""
    length = settings.length or contexts.target
    short = settings.short_length or min(SHORT_TOKENS, length // 2)
    stride = settings.stride or max(1, short // STRIDES)
    context_lengths.resolved((length,), (), contexts, "longPpl.length")
    if not 2 <= short < length:
        raise InvalidInput(
            f"evaluation.probes.longPpl.shortLength: {short:,} is not between 2 tokens and less "
            f"than the length of a document ({length:,})"
        )
    if stride >= short:
        raise InvalidInput(
            f"evaluation.probes.longPpl.stride: {stride:,} is not less than shortLength ({short:,})"
        )
    return settings.model_copy(update={"length": length, "short_length": short, "stride": stride})


def clusters(settings: LongPplSettings) -> tuple[ClusterKind, ...]:
    """The documents."""
    return (ClusterKind("document", settings.documents, "Text"),)


def documents(settings: LongPplSettings) -> dict[str, Documents]:
    """The texts, if they are in files."""
    texts = settings.texts
    return {} if texts.path is None else {"evaluation.probes.longPpl.texts.path": texts}


def signals(_settings: LongPplSettings) -> tuple[Signal, ...]:
    """Perplexity of the keys, and of the other tokens."""
    return tuple(
        Signal(
            name=name,
            title=title,
            unit="PPL",
            scale=Scale.LOG,
            better=Better.LOWER,
            band="extension",
        )
        for name, title in (("long_ppl", "Key-token PPL"), ("long_ppl_other", "Other tokens' PPL"))
    )


PROBE = Probe(
    name="long_ppl",
    description="Perplexity of the tokens that a long context makes likely.",
    definition=__doc__,
    version=1,
    settings=LongPplSettings,
    default=None,
    example=LongPplSettings(texts=Documents(path="books.jsonl")),
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    charts=(
        SignalCurves(
            "Key tokens against tokens",
            "Above, the perplexity of the tokens that need the long context; below, that of all "
            "others. Where only the lower one falls, training teaches language, not contexts.",
            (("long_ppl",), ("long_ppl_other",)),
        ),
        Profile(
            "Perplexity of key tokens by position",
            "Mean over the keys of all documents in each band, a line for each checkpoint.",
            array="ppl_by_position",
            unit="PPL",
            along=Axis("position", "position from (tokens)", "positions", "tokens"),
            scale=Scale.LOG,
        ),
    ),
    rules=tuple(context_lengths.one_within_target("long_ppl", name) for name in LENGTHS),
    fits=context_lengths.fits("long_ppl", *LENGTHS),
    documents=documents,
)
