"""Continuous needle in a haystack (after Kamradt; in this form: arXiv 2604.02650, section 5).

A prompt is a haystack with a needle at a depth, a question, and the needle again as the answer,
under teacher forcing. The NLL of a sample is `-(1/m) Σ log p_i` over the m tokens of the answer.
The needle begins a sentence within 4 points of its depth (or two fifths of the step between depths,
if less), so that lengths share positions; the real depths, in the details, are a little greater.

- `niah_ppl` is `exp` of the mean NLL of a band's samples, equally weighted; `niah_mean_ppl` is the
  mean of `exp(NLL)` of each sample.
- `niah_score` is the share of samples in which every token of the key is the arg-max, given the
  stem; `niah_exact` requires it of every token of the answer. Nothing is decoded for either.
- `context_gain` is `none - full`, in nats a token: the NLL of the answers without any context, less
  that with the whole prompt.
- `recovery` is `(none - full) / (none - oracle)`, of means over samples, where the context of
  `oracle` is only the needle: 0 is a context that is of no use, 1 a haystack that does no harm. It
  is not measured, and the report says so, where the needle alone does not surely help (95 %, by
  needles).
- `niah_lost_in_the_middle` is how much worse answers are from the middle of the context than from
  its ends (Liu et al., arXiv 2307.03172): `NLL(middle) - ((1 - w) NLL(first) + w NLL(last))`, in
  nats a token, of the mean NLL in each third of the depths. w is how far the middle's mean depth is
  from the first third's towards the last one's (1/2 for evenly spaced depths). 0: no difference,
  also where the NLL rises evenly with the depth; 0.69: twice the perplexity. It is computed within
  each cluster, and its interval is that of the clusters; it is not measured where a third holds
  none of the depths.

Bands: `extension` holds the lengths beyond the source context, `guard` those within it (signals
that end with `_guard`). Clusters: haystacks and needles, crossed in every cell.
"""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import rules
from lccp.contract.errors import InvalidInput
from lccp.contract.signals import Better, Role, Scale, Signal
from lccp.probes.probe import (
    DEPTHS,
    LENGTHS,
    ClusterKind,
    Column,
    Contexts,
    HeatMaps,
    Probe,
    SignalCurves,
)
from lccp.probes.settings import bands, context_lengths, depths, prompts
from lccp.probes.settings.needles import DEFAULT_NEEDLES, ENOUGH
from lccp.probes.settings.prompts import Documents, Needle, Template

PRESETS: dict[str, dict[str, Any]] = {
    "Quick": {"parts": 4, "depths": range(0, 101, 25), "haystacks": 3, "needles": 2},
    "Standard": {"parts": 8, "depths": range(0, 101, 10), "haystacks": 10, "needles": 4},
    "Paper": {"parts": 16, "depths": range(0, 101, 5), "haystacks": 20, "needles": 8},
}
NIAH_RULES = rules(
    prompts.HOLDS_BOTH,
    ENOUGH,
    context_lengths.DISTINCT,
    depths.DISTINCT,
)


class NiahSettings(Contract):
    """Continuous needle in a haystack: perplexity and score of the answer, by length and depth."""

    model_config = ConfigDict(json_schema_extra=NIAH_RULES)

    preset: Annotated[
        Literal["Quick", "Standard", "Paper"],
        Field(
            description="Default of lengths, depths, haystacks and needles. Quick: a look, which "
            "decides nothing. Paper: resolution of a published figure, 10 times the work."
        ),
    ] = "Standard"
    lengths: Annotated[
        context_lengths.Lengths,
        Field(
            description="Prompt lengths in tokens; default: powers of two from 1K, then eighths of "
            "the target (quarters: Quick, sixteenths: Paper).",
        ),
    ] = ()
    depths_percent: Annotated[
        tuple[depths.Depth, ...],
        Field(
            max_length=depths.MOST,
            description="Share of the haystack before the needle, in percent; default: 0 to 100 in "
            "steps of 10 (25: Quick, 5: Paper).",
        ),
    ] = ()
    haystacks: Annotated[
        StrictInt | None,
        Field(
            ge=2,
            le=1_000,
            description="Haystacks in every cell (length x depth), crossed with the needles; "
            "default: 10 (3: Quick, 20: Paper).",
        ),
    ] = None
    needles_per_haystack: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=64,
            description="Needles hidden in each haystack, one a prompt, the first of `needles`; "
            "default: 4 (2: Quick, 8: Paper).",
        ),
    ] = None
    needles: Annotated[
        tuple[Needle, ...],
        Field(max_length=64, description="Needles to hide; default: those that LCCP ships."),
    ] = ()
    haystack: Annotated[
        Documents,
        Field(
            description="Text around the needle. Sentences that hold a telling word of a needle "
            "are left out, and counted in the report."
        ),
    ] = Documents()
    template: Template = prompts.DEFAULT
    separator: Annotated[
        str,
        Field(
            max_length=16,
            pattern=r"^[ \t\n]*$",
            description="White space before needle and answer, the same for both.",
        ),
    ] = " "
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31, description="Seed of the samples.")] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> "NiahSettings":
        prompts.check_template(self.template)
        if self.needles and (self.needles_per_haystack or 0) > len(self.needles):
            raise ValueError(ENOUGH.message)
        context_lengths.check_distinct(self.lengths)
        depths.check_distinct(self.depths_percent)
        return self


def clusters(settings: NiahSettings) -> tuple[ClusterKind, ClusterKind]:
    """The haystacks and needles that are crossed in every cell."""
    preset = PRESETS[settings.preset]
    shipped = len(settings.needles or DEFAULT_NEEDLES)
    needles = settings.needles_per_haystack or min(preset["needles"], shipped)
    haystacks = settings.haystacks or preset["haystacks"]
    return (
        ClusterKind("haystack", haystacks, "Text"),
        ClusterKind("needle", needles, "Question"),
    )


def resolved(settings: NiahSettings, contexts: Contexts) -> NiahSettings:
    """`settings` with the lengths, depths, haystacks and needles to use.

    Raises:
        InvalidInput: a length exceeds a context, or there are fewer needles than requested.
    """
    preset = PRESETS[settings.preset]
    default = context_lengths.grid(contexts.target, preset["parts"])
    found = settings.needles or DEFAULT_NEEDLES
    haystacks, needles = clusters(settings)
    number = needles.count
    if len(found) < number:
        raise InvalidInput(
            f"evaluation.probes.niah.needlesPerHaystack: {number} needles are requested, but LCCP "
            f"ships {len(found)}: give `needles`, or request fewer"
        )
    used = {
        "lengths": context_lengths.resolved(settings.lengths, default, contexts, "niah.lengths"),
        "depths_percent": tuple(sorted(settings.depths_percent or preset["depths"])),
        "haystacks": haystacks.count,
        "needles_per_haystack": number,
        "needles": found[:number],
    }
    return settings.model_copy(update=used)


def documents(settings: NiahSettings) -> dict[str, Documents]:
    """The haystacks' text, where it is in files."""
    given = settings.haystack
    return {} if given.path is None else {"evaluation.probes.niah.haystack.path": given}


def signals(settings: NiahSettings) -> tuple[Signal, ...]:
    """Signals of both bands; one whose band holds no length is not measured."""
    return bands.both(_signals(settings))


def _signals(settings: NiahSettings) -> Iterator[Signal]:
    ppl: dict[str, Any] = {"unit": "PPL", "scale": Scale.LOG, "better": Better.LOWER}
    yield Signal(name="niah_ppl", title="NIAH-PPL", role=Role.PRIMARY, **ppl)
    yield Signal(name="niah_score", title="NIAH score", unit="share", role=Role.CEILING)
    yield Signal(name="niah_exact", title="NIAH exact", unit="share")
    yield Signal(name="niah_mean_ppl", title="Mean of NIAH PPLs", **ppl)
    yield Signal(name="context_gain", title="Context gain", unit="nats")
    yield Signal(name="recovery", title="Recovery", unit="share")
    if depths.reach_all_thirds(settings.depths_percent or PRESETS[settings.preset]["depths"]):
        yield depths.lost_in_the_middle("niah", "NIAH")


CHARTS = (
    SignalCurves(
        "NIAH score and perplexity against tokens",
        "Above, the share of needles that the model recalls word for word; below, the perplexity "
        "of the needle's answer. Once the score is at its ceiling, only the perplexity shows "
        "whether training still improves retrieval. Solid lines: lengths beyond the source "
        "context; dashed: lengths within it, which must not get worse. Shades: the verdict as it "
        "was known then; dotted line: the checkpoint since which the run is saturated.",
        (("niah_score", "niah_score_guard"), ("niah_ppl", "niah_ppl_guard")),
    ),
    SignalCurves(
        "Recovery against tokens",
        "How much of what the needle alone would give the model gets from the whole prompt: 0 is "
        "a context of no use, 1 a haystack that does no harm. Comparable between models.",
        (("recovery", "recovery_guard"),),
    ),
    HeatMaps(
        "Perplexity by length and depth",
        "Right of the white line are the lengths beyond the source context. Bright cells are "
        "places where the needle is hard to recall; they should darken from panel to panel.",
        array="ppl",
        unit="PPL",
        down=DEPTHS,
        across=LENGTHS,
        scale=Scale.LOG,
        divided=True,
    ),
    *depths.charts("niah", "NIAH", "needles"),
)

PROBE = Probe(
    name="niah",
    description="Needle in a haystack.",
    definition=__doc__,
    version=1,
    settings=NiahSettings,
    default=NiahSettings(),
    look={"preset": "Quick"},
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    columns=(Column("niah_ppl", "NIAH-PPL"), Column("niah_score", "Score", wide=True)),
    charts=CHARTS,
    rules=(context_lengths.within_target("niah"),),
    fits=context_lengths.fits("niah", "lengths"),
    documents=documents,
)
