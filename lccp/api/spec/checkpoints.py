"""`spec.checkpoints`: when the model is saved, and where to."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, let, rules
from lccp.contract.changes import IDENTITY, LIVE, Change, declared
from lccp.contract.quantities import TOKENS, Decimal, TokenBudget

SOMETHING_IS_SAVED = "set everyTokens or atTokens, or no checkpoint is ever saved"
SAME_BRANCHES = (
    "checkpoints.anneal is part of the run's identity, which never changes: give the changed run "
    "another name"
)
ASCENDING = "atTokens must be in ascending order, without repetition"
ONLY_EXTENDED = "atTokens may only be extended with later ones; existing ones must stay as written"


def _ascending() -> str:
    """CEL: the token counts in `self.atTokens` ascend without repetition."""
    numbers = f"self.atTokens.map(t, {TOKENS.cel('t')})"
    ordered = f"counts.isSorted() && {distinct('counts')}"
    return let("counts", numbers, f"-1 in counts || ({ordered})")


def _extended() -> str:
    """CEL: all of the old `atTokens` are kept, and new ones lie beyond the last of them."""
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
    """Whether the token counts ascend without repetition."""
    return list(tokens) == sorted(set(tokens))


class AnnealSpec(Contract):
    """Branches of the training whose learning rate decays at once, to show the model's worth."""

    model_config = ConfigDict(json_schema_extra=rules(*POINTS_RULES))

    tokens: Annotated[
        TokenBudget,
        Field(description="Tokens that a branch trains.", json_schema_extra=IDENTITY),
    ]
    at_tokens: Annotated[
        tuple[TokenBudget, ...],
        Field(
            max_length=64,
            description="Token counts at which branches start, ascending; later ones may be added. "
            "The training saves a checkpoint at each, and keeps its state permanently.",
            json_schema_extra=declared(Change.LIVE, "later ones may be added"),
        ),
    ] = ()
    final_fraction: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(
            description="Learning rate at a branch's end, as a fraction of its initial rate; it "
            "decays linearly.",
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
            description="The installation's store that holds the run's objects.",
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
            description="Additional checkpoints at these token counts, ascending; later ones may "
            "be added.",
            json_schema_extra=declared(Change.LIVE, "later ones may be added"),
        ),
    ] = ()
    state_every_tokens: Annotated[
        TokenBudget | None,
        Field(description="Tokens between two states; default: only with every checkpoint."),
    ] = None
    state_every_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=10,
            le=10**6,
            description="Longest time between two states, in seconds; default: only with every "
            "checkpoint.",
        ),
    ] = None
    keep_states: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="Number of newest training states to keep; all checkpoints are kept.",
        ),
    ] = 2
    keep_state_every_tokens: Annotated[
        TokenBudget | None,
        Field(
            description="Interval in tokens at which one state is kept permanently, in addition to "
            "the newest; default: none."
        ),
    ] = None
    lost_state: Annotated[
        Literal["Fail", "Restart"],
        Field(
            description="What an attempt does if there are checkpoints, or damaged states, but no "
            "state to resume from: fail, or start over from the source model; checkpoints are kept."
        ),
    ] = "Fail"
    anneal: Annotated[
        AnnealSpec | None,
        Field(
            description="Short branches whose learning rate decays, for runs whose own rate decays "
            "too, so that their checkpoints cannot show a plateau. Default: none."
        ),
    ] = None
    adopt: Annotated[
        StrictBool,
        Field(
            description="Continue from what the store holds of a run with the same identity.",
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
        """Token counts at which a checkpoint is requested, ascending, with the budget's end."""
        regular = range(self.every_tokens, budget, self.every_tokens) if self.every_tokens else ()
        return tuple(sorted({*regular, *self.at_tokens, *self.branch_points, budget}))

    @property
    def branch_points(self) -> tuple[int, ...]:
        """Token counts from which branches are requested, ascending."""
        return self.anneal.at_tokens if self.anneal is not None else ()
