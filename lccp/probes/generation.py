"""Generation: whether a model that answers by itself says the key of the needle.

Other signals of `niah` are of teacher forcing: each token of the answer is judged after the right
ones before it. Here, of `samples` prompts with a haystack, drawn once with the seed of `niah`, the
model is given all up to the answer, and goes on by itself: each token is the likeliest, until it
ends the text or has said as many tokens as the answer has and `further` more.

- `niah_containment` is the share of these prompts after which the text that it says contains the
  key. Upper and lower case are the same for this, and so is all white space.
- `niah_agreement` is the share of them in which that says the same as `niah_score` does: the key is
  contained where all its tokens are the arg-max, or is not where they are not.

Where the agreement is high, the score stands for what a user would see. Each prompt costs a pass
over all of it, and one for each token that is said.
"""

from typing import Annotated

from pydantic import Field, StrictInt

from lccp.contract.base import Contract
from lccp.contract.signals import Signal
from lccp.probes.probe import Course, Need, Probe


class GenerationSettings(Contract):
    """Answers that the model generates, on some of the samples of `niah`."""

    samples: Annotated[
        StrictInt,
        Field(ge=1, le=10_000, description="Prompts that are answered; all, if there are fewer."),
    ] = 32
    further: Annotated[
        StrictInt,
        Field(ge=0, le=512, description="Tokens that it may say beyond those of the answer."),
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
    charts=(
        Course(
            "Generated answers against tokens",
            "Above, the share of prompts after which the model says the key by itself; below, how "
            "often the score of teacher forcing says the same.",
            (("niah_containment",), ("niah_agreement",)),
        ),
    ),
)
