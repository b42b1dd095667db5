"""`spec.model`: the base model and how far its context is extended."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.contract.location import Location
from lccp.contract.quantities import ContextLength, Decimal

ONE_WAY = "ropeBase and ropeScaling exclude each other: keep one of them"


class RopeScaling(Contract):
    """Scaling of the rotary position embedding, in the terms of transformers' `rope_parameters`."""

    type: Annotated[
        Literal["linear", "dynamic", "yarn", "llama3"],
        Field(
            description="Kind of scaling (`rope_type`). `dynamic` is stored as the `rope_theta` "
            "that it yields at `targetContextLength`, which then applies at every length."
        ),
    ]
    factor: Annotated[
        float,
        Decimal(ge=1, le=1024),
        Field(description="Factor by which the context is stretched."),
    ]
    original_context_length: Annotated[
        ContextLength | None,
        Field(
            description="Context that the unscaled model was trained for, in tokens; default: "
            "what a scaling of the source of this type counts from, or else the source's context. "
            "A scaling replaces the source's: one of another type or with a smaller factor is "
            "refused, unless this is given."
        ),
    ] = None


class ModelSpec(Contract):
    """The model that is extended."""

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("!has(self.ropeBase) || !has(self.ropeScaling)", ONE_WAY))
    )

    source: Annotated[
        Location,
        Field(
            description="Directory of a Hugging Face causal language model (config, safetensors, "
            "tokenizer), as the trainer's pods see it; or `s3://bucket/key`, accessed like the "
            "run's store; or `hf://organisation/name@revision`. Anything but a path is fetched "
            "once per node. A relative path is relative to the manifest's folder with `lccp run`, "
            "and to the image's working directory on a cluster.",
        ),
    ]
    target_context_length: Annotated[
        ContextLength,
        Field(description="Context length after the extension, in tokens, such as `64K` (65,536)."),
    ]
    rope_base: Annotated[
        StrictInt | None,
        Field(
            ge=1_000,
            le=10**12,
            description="Base of the rotary position embedding during and after the extension "
            "(`rope_theta`), instead of a `dynamic` scaling or an `alpha` of the source model; "
            "default: the source model's. Excludes `ropeScaling`.",
        ),
    ] = None
    rope_scaling: Annotated[
        RopeScaling | None,
        Field(description="Scaling of the rotary position embedding. Excludes `ropeBase`."),
    ] = None
    trust_remote_code: Annotated[
        StrictBool, Field(description="Run Python code from the model's directory.")
    ] = False

    @model_validator(mode="after")
    def _one_way_to_extend(self) -> "ModelSpec":
        if self.rope_base is not None and self.rope_scaling is not None:
            raise ValueError(ONE_WAY)
        return self
