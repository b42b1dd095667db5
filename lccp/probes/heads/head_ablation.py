"""Ablation of heads: what answers lose where the heads that copy the needle add nothing.

That a head looks at the needle does not prove that the answer needs it. Retrieval heads are watched
on samples, of which those with more than three quarters of the longest one's tokens are read again,
with the output of some heads set to zero at every token (the causal check of Wu et al., arXiv
2404.15574, under teacher forcing):

- `top`: the `heads` heads with the highest mean score (`TokenSet`, see `retrieval_heads`) at this
  checkpoint, on all samples; of equal ones the first;
- `random/1` to `random/<draws>`: as many others, drawn from `seed`; in each layer as many as `top`
  has there, if the layer has so many others, and the rest from all layers.

With the NLL of a sample, `-(1/m) Σ log p_i` over its answer, in nats a token:

- `ablation_loss` is the mean NLL without the top heads, less that with all heads.
- `ablation_random_loss` is the same of random heads, mean over draws.
- `ablation_excess` is `ablation_loss - ablation_random_loss`: near 0, the watched heads are not
  what produces the answers, and their number says nothing about this model.

Heads are chosen and judged on the same samples, so with few samples the excess of a model without
any retrieval head is a little above 0. At checkpoints that `checkpoints` does not name, nothing is
read again and nothing is measured. Clusters: haystacks and needles, or documents and attributes.
"""

from typing import Annotated, Literal

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.quantities import TokenBudget
from lccp.contract.signals import Better, Signal
from lccp.probes.probe import Need, Probe, SignalCurves

TOP, RANDOM = "top", "random"


class HeadAblationSettings(Contract):
    """What answers lose by masking the heads that retrieve, and by masking others."""

    source: Annotated[
        Literal["Bio", "Niah"],
        Field(description="Probe whose samples are read again: `bio` or `niah`."),
    ] = "Bio"
    heads: Annotated[
        StrictInt, Field(ge=1, le=1_024, description="Heads that are masked at a time.")
    ] = 16
    draws: Annotated[
        StrictInt,
        Field(ge=1, le=16, description="Sets of random heads; each is a pass of its own."),
    ] = 2
    seed: Annotated[
        StrictInt, Field(ge=0, le=2**31 - 1, description="Seed of the random heads.")
    ] = 0
    checkpoints: Annotated[
        tuple[TokenBudget, ...],
        Field(
            max_length=64,
            description="Checkpoints at which heads are masked, by their tokens, besides the one "
            "before training (0); default: all.",
        ),
    ] = ()


def at(settings: HeadAblationSettings, tokens: int) -> bool:
    """Whether heads are masked at the checkpoint with this number of tokens."""
    return not settings.checkpoints or tokens in (0, *settings.checkpoints)


def signals(_settings: HeadAblationSettings) -> tuple[Signal, ...]:
    """What is lost without the top heads, without random ones, and the difference."""
    return (
        Signal(name="ablation_loss", title="Loss without the top heads", unit="nats"),
        Signal(
            name="ablation_random_loss",
            title="Loss without random heads",
            unit="nats",
            better=Better.LOWER,
        ),
        Signal(name="ablation_excess", title="Excess loss of the top heads", unit="nats"),
    )


PROBE = Probe(
    name="head_ablation",
    description="What answers lose where heads are masked.",
    definition=__doc__,
    version=1,
    settings=HeadAblationSettings,
    default=None,
    needs=(Need("bio", "Bio"), Need("niah", "Niah")),
    at=at,
    signals=signals,
    charts=(
        SignalCurves(
            "Loss without heads against tokens",
            "Above, how much the NLL of answers rises without the top heads and without as many "
            "random ones; below, the difference. Where both rise alike, the watched heads do not "
            "produce the answers.",
            (("ablation_loss", "ablation_random_loss"), ("ablation_excess",)),
        ),
    ),
)
