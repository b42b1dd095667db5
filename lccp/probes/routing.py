"""Routing of a mixture of experts: which experts the tokens of long contexts go to.

The longest prompt of every haystack or document of another probe is read, and all its tokens are
counted. The load of an expert is its share of its layer's router's choices, over all tokens (a
router that sends each token to k experts makes k choices). Experts that get every token do not
count. With p the loads of a layer's E experts:

- `routing_entropy` is `-Σ p log p / log E`, mean over layers and prompts: 1 where all experts are
  used alike, 0 where one gets everything.
- `routing_busiest` is the largest p, mean over layers and prompts: at least 1/E, at most 1/k.
- `routing_shift` is `½ Σ |p_beyond - p_within|`, mean over layers and prompts, of the loads at
  positions beyond the source context and within it: the share of choices that go elsewhere there.
  Positions are counted in 16 equal bands, by where they begin. It is not measured, and the report
  says so, where no band begins beyond the source context.

A router that collapses on long contexts shows as less entropy in the later bands, long before a
needle is lost. Clusters: haystacks or documents.
"""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.signals import Better, Signal
from lccp.probes.probe import Axis, HeatMaps, Need, Probe, Profile, SignalCurves

BANDS = 16


class RoutingSettings(Contract):
    """Load of the experts of a mixture, by layer and position; other models are refused."""

    source: Annotated[
        Literal["Niah", "Bio", "CorpusPpl"],
        Field(description="Probe whose prompts are routed: `niah`, `bio` or `corpusPpl`."),
    ] = "Niah"


def signals(_settings: RoutingSettings) -> tuple[Signal, ...]:
    """Evenness of the load, and how it changes beyond the source context."""
    return (
        Signal(name="routing_entropy", title="Entropy of the experts' load", unit="share"),
        Signal(
            name="routing_busiest",
            title="Busiest expert's load",
            unit="share",
            better=Better.LOWER,
        ),
        Signal(
            name="routing_shift",
            title="Shift of the experts' load",
            unit="share",
            better=Better.LOWER,
        ),
    )


LAYERS = Axis("layer", "layer with experts")
POSITIONS = Axis("position", "position from (tokens)", "positions", "tokens")
PROBE = Probe(
    name="routing",
    description="Load of the experts.",
    definition=__doc__,
    version=1,
    settings=RoutingSettings,
    default=None,
    needs=(Need("niah", "Niah"), Need("bio", "Bio"), Need("corpus_ppl", "CorpusPpl")),
    signals=signals,
    averaged=lambda _signal, kinds: kinds[:1],
    charts=(
        HeatMaps(
            "Load of every expert",
            "Its share of its layer's choices, layers down, experts across. Single bright cells "
            "are experts that a router falls back on.",
            array="load",
            unit="share",
            down=LAYERS,
            across=Axis("expert", "expert"),
        ),
        HeatMaps(
            "Busiest expert by position",
            "Load of the busiest expert of each layer in each band of position. A row that "
            "brightens to the right is a router that collapses in long contexts.",
            array="busiest",
            unit="share",
            down=LAYERS,
            across=POSITIONS,
        ),
        Profile(
            "Entropy of the experts' load by position",
            "Mean over layers, a line for each checkpoint; 1 is an even load.",
            array="entropy_by_position",
            unit="share",
            along=POSITIONS,
        ),
        SignalCurves(
            "Load of the experts against tokens",
            "Above, how evenly the experts are used; below, the share of choices that go elsewhere "
            "beyond the source context.",
            (("routing_entropy",), ("routing_shift",)),
        ),
    ),
)
