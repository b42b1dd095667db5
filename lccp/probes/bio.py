"""Facts about people who never lived, asked of biographies (after LongBioBench, arXiv 2506.02921).

The context consists only of biographies: each states a person's birthdate, birthplace, hobby,
university, major and workplace, each in one of 17 paraphrases. A question asks for one attribute of
one person. In a document every value of an attribute belongs to one person, so only the context
reveals it, and a guess is worth little. One pass over a document serves all questions about it, at
every depth.

- `bio_ppl` is `exp` of the mean NLL of a band's answers, equally weighted. The answer is the value,
  given the question and the beginning of a sentence (`answer: Value`), or the sentence of the
  biography word for word (`answer: Sentence`, as arXiv 2604.02650 casts these samples as a needle
  in a haystack).
- `bio_score` is the share of answers in which every token of the value is the arg-max.
- `bio_lost_in_the_middle` is how much worse the middle is, as in `niah`. Its clusters are only the
  documents, equally weighted: an attribute is not asked for at every depth. It is not measured
  where a document is too short for a fact in each third.

Bands: `extension` holds the lengths beyond the source context, `guard` those within it (signals
that end with `_guard`). Clusters: documents, and attributes.
"""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import rules
from lccp.contract.quantities import Decimal
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.probe import DEPTHS, LENGTHS, ClusterKind, Contexts, HeatMaps, Probe, SignalCurves
from lccp.probes.settings import bands, context_lengths, depths, prompts
from lccp.probes.settings.prompts import Template

DEPTHS_PERCENT = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
ATTRIBUTES = 6
LOST = "bio_lost_in_the_middle"
BIO_RULES = rules(
    prompts.HOLDS_BOTH,
    context_lengths.DISTINCT,
    depths.DISTINCT,
)


class BioSettings(Contract):
    """Facts asked of biographies: perplexity of the answer, by length and depth."""

    model_config = ConfigDict(json_schema_extra=BIO_RULES)

    lengths: Annotated[
        context_lengths.Lengths,
        Field(
            description="Longest prompts in tokens, each a beginning of the same documents; "
            "default: source and target context."
        ),
    ] = ()
    depths_percent: Annotated[
        tuple[depths.Depth, ...],
        Field(
            min_length=1,
            max_length=depths.MOST,
            description="Share of the document before a fact, in percent; the nearest facts are "
            "asked for.",
        ),
    ] = DEPTHS_PERCENT
    documents: Annotated[StrictInt, Field(ge=2, le=1_000, description="Documents.")] = 10
    questions: Annotated[
        StrictInt,
        Field(ge=1, le=64, description="Questions in every cell (length x depth) of a document."),
    ] = 2
    answer: Annotated[
        Literal["Value", "Sentence"],
        Field(description="The expected answer: only the value, or the whole sentence."),
    ] = "Value"
    density: Annotated[
        float,
        Decimal(gt=0, le=1),
        Field(description="Share of people whose biography states an attribute."),
    ] = 1.0
    template: Template = prompts.DEFAULT
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31, description="Seed of the documents.")] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> "BioSettings":
        prompts.check_template(self.template)
        context_lengths.check_distinct(self.lengths)
        depths.check_distinct(self.depths_percent)
        return self


def resolved(settings: BioSettings, contexts: Contexts) -> BioSettings:
    """`settings` with the lengths and depths to use. Raises InvalidInput if none fits."""
    default = sorted({min(contexts.source, contexts.target), contexts.target})
    used = context_lengths.resolved(settings.lengths, default, contexts, "bio.lengths")
    update = {"lengths": used, "depths_percent": tuple(sorted(settings.depths_percent))}
    return settings.model_copy(update=update)


def clusters(settings: BioSettings) -> tuple[ClusterKind, ...]:
    """Documents and attributes."""
    return (
        ClusterKind("document", settings.documents, "Text"),
        ClusterKind("attribute", ATTRIBUTES, "Question", fixed=True),
    )


def averaged(signal: str, kinds: Sequence[ClusterKind]) -> Sequence[ClusterKind]:
    """Being lost in the middle is reported by document only."""
    return kinds[:1] if signal.startswith(LOST) else kinds


def signals(settings: BioSettings) -> tuple[Signal, ...]:
    """Signals of both bands; one whose band holds no length is not measured."""
    return bands.both(_signals(settings))


def _signals(settings: BioSettings) -> Iterator[Signal]:
    yield Signal(
        name="bio_ppl", title="Biographies' PPL", unit="PPL", scale=Scale.LOG, better=Better.LOWER
    )
    yield Signal(name="bio_score", title="Biographies' score", unit="share")
    if depths.reach_all_thirds(settings.depths_percent):
        yield depths.lost_in_the_middle("bio", "Biographies")


PROBE = Probe(
    name="bio",
    description="Facts asked of biographies.",
    definition=__doc__,
    version=1,
    settings=BioSettings,
    default=BioSettings(),
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    averaged=averaged,
    charts=(
        SignalCurves(
            "Facts of biographies against tokens",
            "Above, the share of facts that the model recalls word for word; below, the perplexity "
            "of the fact. The whole context consists of facts like the one in question, so "
            "this is harder than a needle, and still moves when the needle's score is flat.",
            (("bio_score", "bio_score_guard"), ("bio_ppl", "bio_ppl_guard")),
        ),
        HeatMaps(
            "Perplexity of facts by length and depth",
            "Bright cells are places where a fact is hard to recall among others of its kind.",
            array="ppl",
            unit="PPL",
            down=DEPTHS,
            across=LENGTHS,
            scale=Scale.LOG,
            divided=True,
        ),
        *depths.charts("bio", "Biographies", "facts"),
    ),
    rules=(context_lengths.within_target("bio"),),
    fits=context_lengths.fits("bio", "lengths"),
)
