"""`spec.source`: checkpoints that a trainer of somebody else's leaves, of an attached run."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.api.spec.training import ScheduleSpec
from lccp.contract.base import Contract
from lccp.contract.cel import Rule, rules
from lccp.contract.changes import NEXT_ATTEMPT, Change, declared
from lccp.contract.quantities import ContextLength, TokenBudget

INPUT, OUTPUT = "{input}", "{output}"
ONE_SIGN = "marker and quietSeconds exclude each other: give one of them"
ONE_COUNT = "tokensPerStep and index exclude each other: give one of them"
CONVERTS = f"convert must name {INPUT} and {OUTPUT}: a checkpoint, and the directory to make of it"
IS_A_FOLDER = (
    "path must be a folder, not the address of one: mount the bucket, or let the trainer write to "
    "a volume"
)
FILE_NAME = "^[^/]+$"


class CompletionSpec(Contract):
    """How a checkpoint is known to be complete; its weights must be whole besides."""

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
            description="Complete once its files have not changed for so many seconds; default, "
            "without a marker: 30, or at once where there is a `trainer_state.json`.",
        ),
    ] = None

    @model_validator(mode="after")
    def _by_one_sign(self) -> "CompletionSpec":
        if self.marker is not None and self.quiet_seconds is not None:
            raise ValueError(ONE_SIGN)
        return self


class CountsSpec(Contract):
    """Where the token count of a checkpoint is read.

    By default from `num_input_tokens_seen` in its `trainer_state.json`, else from its name, such
    as `step1000-tokens4B`.
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
    """The trainer that an attached run follows, by the folder where it leaves checkpoints."""

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="Folder with a directory for each checkpoint, which may come later. On a "
            "cluster, as the importer's pod sees it (a volume of `topology.podTemplate`); with "
            "`lccp run` a relative path is taken from the manifest's folder.",
            json_schema_extra=NEXT_ATTEMPT | rules(Rule("!self.contains('://')", IS_A_FOLDER)),
        ),
    ]
    context_length: Annotated[
        ContextLength,
        Field(
            description="Context of the model before it was extended, in tokens: longer ones are "
            "the extension, the others its guard."
        ),
    ]
    until_tokens: Annotated[
        TokenBudget,
        Field(
            description="Budget of the trainer, in tokens: the run ends once a checkpoint of so "
            "many, or more, is evaluated. Where its trainer ended before, lower it to the last "
            "one's count.",
            json_schema_extra=declared(Change.LIVE),
        ),
    ]
    complete: Annotated[
        CompletionSpec,
        Field(
            description="How a checkpoint is known to be complete.", json_schema_extra=NEXT_ATTEMPT
        ),
    ] = CompletionSpec()
    tokens: Annotated[
        CountsSpec, Field(description="Where the token count of a checkpoint is read.")
    ] = CountsSpec()
    schedule: Annotated[
        ScheduleSpec, Field(description="The learning rate, as the trainer has it.")
    ] = ScheduleSpec()
    convert: Annotated[
        str | None,
        Field(
            max_length=4_096,
            description="Command that makes a checkpoint of another format, `{input}`, into a "
            "Hugging Face directory, `{output}`; default: checkpoints are such directories.",
            json_schema_extra=NEXT_ATTEMPT
            | rules(
                Rule(f"self.contains('{INPUT}') && self.contains('{OUTPUT}')", CONVERTS),
            ),
        ),
    ] = None

    @model_validator(mode="after")
    def _can_be_followed(self) -> "SourceSpec":
        if "://" in self.path:
            raise ValueError(IS_A_FOLDER)
        if self.convert is not None and not (INPUT in self.convert and OUTPUT in self.convert):
            raise ValueError(CONVERTS)
        return self

    @property
    def tokens_per_step(self) -> int:
        """Tokens by which a checkpoint may come late; 1 where steps are not told."""
        return self.tokens.tokens_per_step or 1
