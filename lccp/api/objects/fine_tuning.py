"""`sft/<tokens>/sft.json`: which records a checkpoint is fine-tuned on, and how."""

from typing import Annotated, Any

from pydantic import Field

from lccp.api.objects.base import StoreObject
from lccp.api.spec.sft import SFTSpec
from lccp.contract.changes import NEXT_ATTEMPT
from lccp.contract.scalars import Int64


class FineTuning(StoreObject):
    """Identity of a fine-tuning; written once, at its start, and compared by later attempts."""

    settings: Annotated[SFTSpec, Field(description="Its settings.")]
    checkpoint_digest: Annotated[str, Field(description="Digest in the checkpoint's manifest.")]
    chat_template: Annotated[
        str | None,
        Field(
            description="Jinja template that conversations were rendered with; none: there are no "
            "conversations."
        ),
    ] = None
    records: Annotated[Int64, Field(ge=1, description="Records to train on.")]
    left_out: Annotated[Int64, Field(ge=0, description="Records that could not be used.")] = 0
    records_digest: Annotated[
        str,
        Field(description="SHA-256 of their tokens, in order, and of the mask of predicted ones."),
    ]
    predicted_tokens: Annotated[Int64, Field(ge=1, description="Predicted tokens in one epoch.")]
    tokens: Annotated[
        Int64, Field(ge=1, description="Tokens of all steps, including prompts and padding.")
    ]

    def identity(self) -> dict[str, Any]:
        """Everything that the fine-tuned model depends on, as JSON types."""
        of_attempt = {
            n for n, f in SFTSpec.model_fields.items() if f.json_schema_extra == NEXT_ATTEMPT
        }
        return self.model_dump(
            mode="json", by_alias=True, exclude={"settings": of_attempt, "left_out": True}
        )
