"""Look-alike needles (after RULER's multi-key tasks, arXiv 2404.06654), by likelihood.

One haystack holds groups of 2, 4 and 8 sentences that differ only in a name and a value ("X's
hobby is y."), spread over its whole length in random order. A question asks for the value that
belongs to one name; every value of the group is given to the model as the answer. So the model must
recognize which needle is meant, and the signals still move when single needles are solved. With k
the size of the group:

- `multi_key_ppl/k`: `exp` of the mean NLL of the right values, equally weighted.
- `multi_key_margin/k`: NLL of the likeliest wrong value, less that of the right one, in nats a
  token; mean over questions. Above 0 the right value is the likeliest.
- `multi_key_choice/k`: share of questions whose right value is the likeliest; by chance 1/k.

Bands: `extension` holds the lengths beyond the source context, `guard` those within it. Clusters:
haystacks, and sets of needles, crossed.
"""

from collections.abc import Iterator
from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, rules
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.probe import ClusterKind, Contexts, Probe, SignalCurves
from lccp.probes.settings import bands, context_lengths, prompts
from lccp.probes.settings.prompts import Documents, Template

GROUPS = (2, 4, 8)
REPEATED_GROUP = "groups must be distinct"


class MultiKeySettings(Contract):
    """Look-alike needles: the right value against those of the others, by size of the group."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            prompts.HOLDS_BOTH,
            context_lengths.DISTINCT,
            Rule(distinct("self.groups"), REPEATED_GROUP, ".groups"),
        )
    )

    lengths: Annotated[
        context_lengths.Lengths,
        Field(description="Longest prompts in tokens; default: the target context."),
    ] = ()
    groups: Annotated[
        tuple[Annotated[StrictInt, Field(ge=2, le=16)], ...],
        Field(min_length=1, max_length=6, description="Needles that look alike, by group."),
    ] = GROUPS
    haystacks: Annotated[StrictInt, Field(ge=2, le=1_000, description="Haystacks.")] = 4
    sets: Annotated[
        StrictInt, Field(ge=2, le=64, description="Sets of needles, crossed with the haystacks.")
    ] = 4
    haystack: Annotated[
        Documents,
        Field(
            description="Text around the needles. Sentences that hold a telling word of a value "
            "are left out, and counted in the report."
        ),
    ] = Documents()
    template: Template = prompts.DEFAULT
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31, description="Seed of the samples.")] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> "MultiKeySettings":
        prompts.check_template(self.template)
        context_lengths.check_distinct(self.lengths)
        if len(set(self.groups)) < len(self.groups):
            raise ValueError(REPEATED_GROUP)
        return self


def resolved(settings: MultiKeySettings, contexts: Contexts) -> MultiKeySettings:
    """`settings` with the lengths to use. Raises InvalidInput if one does not fit."""
    path = "multiKey.lengths"
    used = context_lengths.resolved(settings.lengths, (contexts.target,), contexts, path)
    return settings.model_copy(update={"lengths": used, "groups": tuple(sorted(settings.groups))})


def clusters(settings: MultiKeySettings) -> tuple[ClusterKind, ...]:
    """Haystacks and sets of needles, crossed."""
    return (
        ClusterKind("haystack", settings.haystacks, "Text"),
        ClusterKind("set", settings.sets, "Question"),
    )


def documents(settings: MultiKeySettings) -> dict[str, Documents]:
    """The haystacks' text, where it is in files."""
    given = settings.haystack
    return {} if given.path is None else {"evaluation.probes.multiKey.haystack.path": given}


def signals(settings: MultiKeySettings) -> tuple[Signal, ...]:
    """Signals of both bands; one whose band holds no length is not measured."""
    return bands.both(signal for size in settings.groups for signal in _among(size))


def _among(size: int) -> Iterator[Signal]:
    yield Signal(
        name=f"multi_key_ppl/{size}",
        title=f"Multi-key PPL among {size}",
        unit="PPL",
        scale=Scale.LOG,
        better=Better.LOWER,
    )
    yield Signal(
        name=f"multi_key_margin/{size}", title=f"Multi-key margin among {size}", unit="nats"
    )
    yield Signal(
        name=f"multi_key_choice/{size}", title=f"Multi-key choice among {size}", unit="share"
    )


PROBE = Probe(
    name="multi_key",
    description="Look-alike needles.",
    definition=__doc__,
    version=1,
    settings=MultiKeySettings,
    default=None,
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    charts=(
        SignalCurves(
            "Look-alike needles against tokens",
            "Above, the share of questions whose right value is the likeliest of its group; below, "
            "by how much it is. Larger groups are harder, and level off later.",
            (("multi_key_choice",), ("multi_key_margin",)),
        ),
    ),
    rules=(context_lengths.within_target("multi_key"),),
    fits=context_lengths.fits("multi_key", "lengths"),
    documents=documents,
)
