"""`spec.source`: the checkpoints of another trainer, which an attached run follows."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.api.spec.training import ScheduleSpec
from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.contract.changes import NEXT_ATTEMPT, Change, declared
from lccp.contract.location import BUCKET, BucketLocation, remote_location
from lccp.contract.quantities import ContextLength, TokenBudget

INPUT, OUTPUT = "{input}", "{output}"
ONE_SIGN = "marker and quietSeconds exclude each other: set only one of them"
ONE_COUNT = "tokensPerStep and index exclude each other: set only one of them"
CONVERTS = (
    f"convert must name {INPUT} and {OUTPUT}: a checkpoint, and the directory to convert it into"
)
IS_A_PLACE = "path must be a folder or s3://bucket/prefix"
FILE_NAME = "^[^/]+$"


class CompletionSpec(Contract):
    """How a complete checkpoint is recognized; in addition its weights must be whole."""

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("!has(self.marker) || !has(self.quietSeconds)", ONE_SIGN))
    )

    marker: Annotated[
        str | None,
        Field(
            pattern=FILE_NAME,
            max_length=255,
            description="File in the checkpoint's directory that its trainer writes last, such as "
            "`model.safetensors.index.json`.",
        ),
    ] = None
    quiet_seconds: Annotated[
        StrictInt | None,
        Field(
            ge=1,
            le=86_400,
            description="Complete once its files have not changed for this many seconds; default, "
            "without a marker: 30, or immediately if there is a `trainer_state.json`.",
        ),
    ] = None

    @model_validator(mode="after")
    def _by_one_sign(self) -> "CompletionSpec":
        if self.marker is not None and self.quiet_seconds is not None:
            raise ValueError(ONE_SIGN)
        return self


class CountsSpec(Contract):
    """Where a checkpoint's token count is read from.

    By default it is `num_input_tokens_seen` in its `trainer_state.json`, else it is in its name,
    such as `step1000-tokens4B`.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(Rule("!has(self.tokensPerStep) || !has(self.index)", ONE_COUNT))
    )

    tokens_per_step: Annotated[
        TokenBudget | None,
        Field(
            description="Tokens in one step; the step is `global_step` in its "
            "`trainer_state.json`, else that of its name, such as `checkpoint-500`."
        ),
    ] = None
    index: Annotated[
        str | None,
        Field(
            pattern=FILE_NAME,
            max_length=255,
            description="YAML file in `path` that maps names of directories to token counts.",
        ),
    ] = None

    @model_validator(mode="after")
    def _from_one_place(self) -> "CountsSpec":
        if self.tokens_per_step is not None and self.index is not None:
            raise ValueError(ONE_COUNT)
        return self


class SourceSpec(Contract):
    """The trainer that an attached run follows, through the folder where it saves checkpoints."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Folder with a directory for each checkpoint; it need not exist yet. On a "
            "cluster, as the importer's pod sees it (a volume of `topology.podTemplate`); with "
            "`lccp run` a relative path is relative to the manifest's folder. Or "
            "`s3://bucket/prefix`, accessed like the run's store.",
            json_schema_extra=NEXT_ATTEMPT
            | rules(
                Rule(f"!self.contains('://') || self.matches('^{BUCKET}$')", IS_A_PLACE),
            ),
        ),
    ]
    context_length: Annotated[
        ContextLength,
        Field(
            description="Context of the model before the extension, in tokens: longer lengths "
            "belong to the extension, the others to its guard."
        ),
    ]
    until_tokens: Annotated[
        TokenBudget,
        Field(
            description="The trainer's budget, in tokens: the run ends once a checkpoint with at "
            "least that many is evaluated. If the trainer ended earlier, lower it to the last "
            "checkpoint's count.",
            json_schema_extra=declared(Change.LIVE),
        ),
    ]
    complete: Annotated[
        CompletionSpec,
        Field(
            description="How a complete checkpoint is recognized.", json_schema_extra=NEXT_ATTEMPT
        ),
    ] = CompletionSpec()
    tokens: Annotated[
        CountsSpec, Field(description="Where a checkpoint's token count is read from.")
    ] = CountsSpec()
    schedule: Annotated[
        ScheduleSpec, Field(description="The trainer's learning rate schedule.")
    ] = ScheduleSpec()
    convert: Annotated[
        str | None,
        Field(
            max_length=4_096,
            description="Command that converts a checkpoint in another format, `{input}`, into a "
            "Hugging Face directory, `{output}`; default: checkpoints are such directories.",
            json_schema_extra=NEXT_ATTEMPT
            | rules(
                Rule(f"self.contains('{INPUT}') && self.contains('{OUTPUT}')", CONVERTS),
            ),
        ),
    ] = None

    @model_validator(mode="after")
    def _can_be_followed(self) -> "SourceSpec":
        if "://" in self.path and self.bucket is None:
            raise ValueError(IS_A_PLACE)
        if self.convert is not None and not (INPUT in self.convert and OUTPUT in self.convert):
            raise ValueError(CONVERTS)
        return self

    @property
    def bucket(self) -> BucketLocation | None:
        """The prefix of a bucket that `path` names; None: it is a folder."""
        location = remote_location(self.path)
        return location if isinstance(location, BucketLocation) else None

    @property
    def tokens_per_step(self) -> int:
        """Tokens by which a checkpoint may come late; 1 if the tokens per step are unknown."""
        return self.tokens.tokens_per_step or 1
