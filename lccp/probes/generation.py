"""Generation: whether a model that generates its answer says the key of the needle.

The other signals of `niah` use teacher forcing: each token of the answer is judged after the right
ones before it. Here `samples` prompts with a haystack are drawn once, with the seed of `niah`. The
model is given each prompt up to the answer, and generates the rest: each token is the likeliest,
until the model ends the text, or has generated `further` more tokens than the answer has.

- `niah_containment` is the share of these prompts after which the generated text contains the key.
  Case is ignored, and all white space counts as the same.
- `niah_agreement` is the share of them in which containment agrees with `niah_score`: the key is
  contained where all its tokens are the arg-max, and is not where they are not.

Where the agreement is high, the score represents what a user would see. The passes of `niah` have
read the prompts, so each generated token costs one more token, and prompts of a haystack are
answered together as far as their keys and values fit into eight passes. If prompts do not share
their beginnings, they are answered one by one, and a token costs passes over the whole text so far.
"""

from typing import Annotated

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.signals import Signal
from lccp.probes.probe import Need, Probe, SignalCurves


class GenerationSettings(Contract):
    """Answers that the model generates, on some of the samples of `niah`."""

    samples: Annotated[
        StrictInt,
        Field(ge=1, le=10_000, description="Prompts that are answered; all, if there are fewer."),
    ] = 32
    further: Annotated[
        StrictInt,
        Field(ge=0, le=512, description="Tokens that it may generate beyond those of the answer."),
    ] = 16


def signals(_settings: GenerationSettings) -> tuple[Signal, ...]:
    """Containment, and how often the score says the same."""
    return (
        Signal(name="niah_containment", title="NIAH containment", unit="share"),
        Signal(name="niah_agreement", title="Agreement of NIAH score", unit="share"),
    )


PROBE = Probe(
    name="generation",
    description="Answers that the model generates.",
    definition=__doc__,
    version=1,
    settings=GenerationSettings,
    default=None,
    needs=(Need("niah"),),
    signals=signals,
    averaged=lambda _signal, _kinds: (),
    charts=(
        SignalCurves(
            "Generated answers against tokens",
            "Above, the share of prompts after which the model generates the key; below, how "
            "often the score of teacher forcing says the same.",
            (("niah_containment",), ("niah_agreement",)),
        ),
    ),
)
