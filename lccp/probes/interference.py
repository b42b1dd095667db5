"""Interference: what the context before a needle does to its answer (arXiv 2604.02650, 7.3).

The samples are those of `niah`, indexed differently: *distance* is the tokens of haystack between
needle and question, *interference* those before the needle. At one distance the model must reach
equally far back in all samples; only how much else it has read differs.

- `interference_slope` is b, times the target context, in
  `NLL = level of the haystack + level of the needle + b * interference + c * distance`, by least
  squares over the samples whose distance is within one bin of the given one: by how much the NLL
  (nats a token) rises from no interference to a whole context of it. Training should bring it to 0.
  It is not measured, and the report says so, where the grid of `niah` cannot separate b from c.

Clusters: haystacks and needles. b is a weighted sum of NLLs, so each cluster contributes a share;
the value of a cluster is its share times the number of clusters, and their mean is the signal.
"""

from typing import Annotated

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.quantities import ContextLength
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.probe import Axis, Contexts, HeatMaps, Need, Probe, Profile, SignalCurves
from lccp.probes.settings import context_lengths


class InterferenceSettings(Contract):
    """Perplexity of the needle's answer by distance and interference, on the samples of `niah`."""

    distance: Annotated[
        ContextLength | None,
        Field(
            description="Tokens between needle and question at which the slope is taken; default: "
            "a quarter of the target context."
        ),
    ] = None
    bins: Annotated[
        StrictInt,
        Field(
            ge=4,
            le=64,
            description="Bins that the target context is divided into, for distance and for "
            "interference.",
        ),
    ] = 8


def resolved(settings: InterferenceSettings, contexts: Contexts) -> InterferenceSettings:
    """`settings` with the distance to use."""
    return settings.model_copy(update={"distance": settings.distance or contexts.target // 4})


def signals(_settings: InterferenceSettings) -> tuple[Signal, ...]:
    """The slope at the given distance."""
    name, title = "interference_slope", "Interference slope"
    return (Signal(name=name, title=title, unit="nats", better=Better.LOWER),)


DISTANCES = Axis("distance", "distance from (tokens)", "distances", "tokens")
INTERFERENCES = Axis("interference", "interference from (tokens)", "interferences", "tokens")
NEAR = Axis("interference", "interference from (tokens)", "interferences_near", "tokens")
PROBE = Probe(
    name="interference",
    description="Perplexity by distance and interference.",
    definition=__doc__,
    version=1,
    settings=InterferenceSettings,
    default=None,
    needs=(Need("niah"),),
    resolved=resolved,
    signals=signals,
    charts=(
        HeatMaps(
            "Perplexity by distance and interference",
            "Distance is the tokens between needle and question, interference those before the "
            "needle, each from the given value up to the next. A row that brightens to the "
            "right is a model disturbed by what it read before the needle.",
            array="ppl",
            unit="PPL",
            down=DISTANCES,
            across=INTERFERENCES,
            scale=Scale.LOG,
        ),
        Profile(
            "Perplexity against interference at one distance",
            "A line for each checkpoint. A model that was not trained on long contexts rises; "
            "training should flatten it.",
            array="ppl_near",
            unit="PPL",
            along=NEAR,
            scale=Scale.LOG,
        ),
        SignalCurves(
            "Interference slope against tokens",
            "By how much the NLL of the answer rises from no interference to a whole context of "
            "it, at one distance. Training should bring it to 0.",
            (("interference_slope",),),
        ),
    ),
    rules=(context_lengths.one_within_target("interference", "distance"),),
    fits=context_lengths.fits("interference", "distance"),
)
