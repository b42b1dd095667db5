"""`spec.checkpoints`: when the model is saved, and where to."""

from typing import Annotated

from pydantic import Field, model_validator

from lccp.api.base import Contract
from lccp.api.quantities import TokenBudget


class SecretReference(Contract):
    """A Secret in the run's own namespace."""

    name: Annotated[str, Field(min_length=1, max_length=253, description="Its name.")]


class CheckpointsSpec(Contract):
    """Checkpoints, and the state that training resumes from."""

    store_name: Annotated[
        str,
        Field(
            min_length=1,
            max_length=63,
            description="Store of the installation that holds the run's objects.",
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
            description="Further checkpoints, at these token counts; later ones may be added.",
        ),
    ] = ()
    keep_states: Annotated[
        int,
        Field(
            ge=1,
            le=64,
            description="Newest training states that are kept; checkpoints are all kept.",
        ),
    ] = 2
    adopt: Annotated[
        bool,
        Field(description="Go on with what the store holds of a run of the same identity."),
    ] = True

    @model_validator(mode="after")
    def _something_is_saved(self) -> "CheckpointsSpec":
        if self.every_tokens is None and not self.at_tokens:
            raise ValueError("give everyTokens or atTokens, or no checkpoint is ever made")
        return self

    def due(self, budget: int) -> tuple[int, ...]:
        """Token counts at which a checkpoint is asked for, ascending, the budget's end included."""
        regular = range(self.every_tokens, budget, self.every_tokens) if self.every_tokens else ()
        return tuple(sorted({*regular, *self.at_tokens, budget}))
