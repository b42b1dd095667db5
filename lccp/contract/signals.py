"""What a signal is: a number that is measured at every checkpoint, and how to read it."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules

_PART = "[a-z0-9][-a-z0-9_.]*"
PART_PATTERN = f"^{_PART}$"
"""Pattern of the part after the slash in a signal's name."""
SIGNAL_PATTERN = f"^[a-z][a-z0-9_]*(/{_PART})?$"
SIGNAL_LENGTH_MAX = 63

SignalName = Annotated[
    str, Field(min_length=1, max_length=SIGNAL_LENGTH_MAX, pattern=SIGNAL_PATTERN)
]
"""`niah_ppl`, or with a part, `corpus_ppl/english`."""

_NUMBER = r"-?[0-9]{1,9}([.][0-9]{1,9})?"
_ASKED = f"{SIGNAL_PATTERN[1:-1]}( gain)?( (lower|upper) bound)? (>=|<=|>|<) {_NUMBER}"
_STATES = "improving|on a plateau|regressing|saturated|undetermined"
_IS = f"({SIGNAL_PATTERN[1:-1]}|guards|verdict) (is |are )?(not )?({_STATES})"
GATE_PATTERN = f"^(({_ASKED})|({_IS}))$"
GATE_LENGTH_MAX = 160
NO_GATE_SENTENCE = (
    "a gate's sentence must be SIGNAL [gain] [lower bound | upper bound] >= NUMBER (or <=, >, <), "
    "or SIGNAL | guards | verdict [not] improving | on a plateau | regressing | saturated | "
    "undetermined"
)


def _is_gate_sentence(sentence: str) -> str:
    if not re.fullmatch(GATE_PATTERN, sentence):
        raise ValueError(NO_GATE_SENTENCE)
    return sentence


GateSentence = Annotated[
    str,
    Field(
        min_length=1,
        max_length=GATE_LENGTH_MAX,
        json_schema_extra=rules(Rule(f"self.matches('{GATE_PATTERN}')", NO_GATE_SENTENCE)),
    ),
    AfterValidator(_is_gate_sentence),
]
"""`recovery lower bound >= 0.8`, `niah_ppl gain upper bound < 0.02`, `guards not regressing`."""

Band = Literal["extension", "guard"]
"""Contexts beyond the source context, or within it."""


class Scale(StrEnum):
    """The scale on which equal differences of a signal mean the same everywhere."""

    LOG = "Log"
    LINEAR = "Linear"


class Better(StrEnum):
    """Which way a signal moves when the model gets better."""

    LOWER = "Lower"
    HIGHER = "Higher"


class Role(StrEnum):
    """The role of a signal in a verdict, unless the policy says otherwise."""

    PRIMARY = "Primary"
    """The verdict is about it."""
    CEILING = "Ceiling"
    """It may stand at its ceiling while a primary signal still improves."""
    GUARD = "Guard"
    """It must not get worse."""
    WATCHED = "Watched"
    """An alert fires when it gets worse; the verdict does not depend on it."""
    SHOWN = "Shown"


class Signal(Contract):
    """A signal as its probe declares it."""

    name: Annotated[SignalName, Field(description="Its name, in reports, metrics and policies.")]
    title: Annotated[str, Field(max_length=63, description="Its name in tables and sentences.")]
    unit: Annotated[str, Field(max_length=31, description="Unit of its value, such as `PPL`.")]
    scale: Annotated[Scale, Field(description="Scale of its gains.")] = Scale.LINEAR
    better: Annotated[Better, Field(description="Which way is better.")] = Better.HIGHER
    role: Annotated[Role, Field(description="What a verdict takes it for.")] = Role.SHOWN
    band: Annotated[
        Band | None, Field(description="Contexts that it is about; none: it has no bands.")
    ] = None
