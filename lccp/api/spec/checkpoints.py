"""`spec.checkpoints`: when the model is saved, and where to."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, let, rules
from lccp.contract.changes import IDENTITY, LIVE, Change, declared
from lccp.contract.quantities import TOKENS, Decimal, TokenBudget

SOMETHING_IS_SAVED = "give everyTokens or atTokens, or no checkpoint is ever made"
SAME_BRANCHES = (
    "checkpoints.anneal is part of the run's identity, which never changes: give the changed run "
    "another name"
)
ASCENDING = "atTokens must ascend, without repetition"
ONLY_EXTENDED = "atTokens may only be extended, by later ones; those that are there stay as written"


def _ascending() -> str:
    """CEL: the token counts in `self.atTokens` ascend, and none comes twice."""
    numbers = f"self.atTokens.map(t, {TOKENS.cel('t')})"
    ordered = f"counts.isSorted() && {distinct('counts')}"
    return let("counts", numbers, f"-1 in counts || ({ordered})")


def _extended() -> str:
    """CEL: all of the old `atTokens` is still there, and what is new lies beyond its last."""
    kept = "before.all(t, t in now)"
    beyond = let("count", TOKENS.cel("t"), "count < 0 || count > last")
    later = f"now.all(t, t in before || {beyond})"
    judged = let("last", TOKENS.cel_at("before[size(before) - 1]"), f"{kept} && {later}")
    both = let("now", "self.atTokens", f"size(before) == 0 || {judged}")
    return let("before", "oldSelf.atTokens", both)


POINTS_RULES = (
    Rule(_ascending(), ASCENDING, ".atTokens"),
    Rule(_extended(), ONLY_EXTENDED, ".atTokens"),
)


def _is_ascending(tokens: tuple[int, ...]) -> bool:
    """Whether the token counts ascend, and none comes twice."""
    return list(tokens) == sorted(set(tokens))


class AnnealSpec(Contract):
    """Branches of the training, whose learning rate decays at once: what it is worth by then."""

    model_config = ConfigDict(json_schema_extra=rules(*POINTS_RULES))

    tokens: Annotated[
        TokenBudget,
        Field(description="Tokens that a branch trains.", json_schema_extra=IDENTITY),
    ]
    at_tokens: Annotated[
        tuple[TokenBudget, ...],
        Field(
            max_length=64,
            description="Where branches begin, ascending; later ones may be added. The training "
            "makes a checkpoint at each, and keeps its state for ever.",
            json_schema_extra=declared(Change.LIVE, "later ones may be added"),
        ),
    ] = ()
    final_fraction: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(
            description="Rate at a branch's end, as a share of the rate that it began with; "
            "between them it falls along a line.",
            json_schema_extra=IDENTITY,
        ),
    ] = 0.0

    @model_validator(mode="after")
    def _ascends(self) -> "AnnealSpec":
        if not _is_ascending(self.at_tokens):
            raise ValueError(ASCENDING)
        return self


class SecretReference(Contract):
    """A Secret in the run's own namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Its name.")]


class CheckpointsSpec(Contract):
    """Checkpoints, and the state that training resumes from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("has(self.everyTokens) || size(self.atTokens) > 0", SOMETHING_IS_SAVED),
            *POINTS_RULES,
            Rule("has(self.anneal) == has(oldSelf.anneal)", SAME_BRANCHES),
        )
    )

    store_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Store of the installation that holds the run's objects.",
            json_schema_extra=IDENTITY,
        ),
    ] = "default"
    secret_ref: Annotated[
        SecretReference | None,
        Field(
            description="Secret with `accessKey` and `secretKey` for the run's pods; mounted by "
            "the kubelet, never read by the operator."
        ),
    ] = None
    every_tokens: Annotated[
        TokenBudget | None, Field(description="Tokens between two checkpoints.")
    ] = None
    at_tokens: Annotated[
        tuple[TokenBudget, ...],
        Field(
            max_length=256,
            description="Further checkpoints, at these token counts, ascending; later ones may "
            "be added.",
            json_schema_extra=declared(Change.LIVE, "later ones may be added"),
        ),
    ] = ()
    state_every_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens between two states; default: with every checkpoint alone."),
    ] = None
    state_every_seconds: Annotated[
        StrictInt | None,
        Field(ge=10, le=10**6, description="Most seconds between two states, likewise."),
    ] = None
    keep_states: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="Newest training states that are kept; checkpoints are all kept.",
        ),
    ] = 2
    keep_state_every_tokens: Annotated[
        TokenBudget | None,
        Field(
            description="One state every so many tokens is kept for ever, beside the newest; "
            "default: none."
        ),
    ] = None
    lost_state: Annotated[
        Literal["Fail", "Restart"],
        Field(
            description="What an attempt does where checkpoints are, but no state that can be "
            "resumed from: fail, or begin anew from the source model; checkpoints stay."
        ),
    ] = "Fail"
    anneal: Annotated[
        AnnealSpec | None,
        Field(
            description="Short branches, whose learning rate decays: where the rate of the run "
            "decays as well, its own checkpoints tell no plateau. Default: none."
        ),
    ] = None
    adopt: Annotated[
        StrictBool,
        Field(
            description="Go on with what the store holds of a run of the same identity.",
            json_schema_extra=LIVE,
        ),
    ] = True

    @model_validator(mode="after")
    def _something_is_saved(self) -> "CheckpointsSpec":
        if self.every_tokens is None and not self.at_tokens:
            raise ValueError(SOMETHING_IS_SAVED)
        if not _is_ascending(self.at_tokens):
            raise ValueError(ASCENDING)
        return self

    def due(self, budget: int) -> tuple[int, ...]:
        """Token counts at which a checkpoint is asked for, ascending, the budget's end included."""
        regular = range(self.every_tokens, budget, self.every_tokens) if self.every_tokens else ()
        return tuple(sorted({*regular, *self.at_tokens, *self.branch_points, budget}))

    @property
    def branch_points(self) -> tuple[int, ...]:
        """Token counts from which branches are asked for, ascending."""
        return self.anneal.at_tokens if self.anneal is not None else ()
