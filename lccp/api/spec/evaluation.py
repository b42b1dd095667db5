"""`spec.evaluation`: what is measured at every checkpoint."""

from typing import Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    StrictBool,
    StrictInt,
    model_serializer,
    model_validator,
)

from lccp.api.spec.topology import FREE_OBJECT, PlacementSpec, ResourceSpec
from lccp.contract.base import Contract
from lccp.contract.cel import MUTABLE, Rule, distinct, rules
from lccp.contract.quantities import LENGTH, ContextLength, Decimal

DEPTHS_PERCENT = (0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100)
TEMPLATE = "{context}\n\nQuestion: {question}\nAnswer:"
PLACEHOLDERS = "template must hold {context} and {question} exactly once each"
TOO_FEW_NEEDLES = (
    "needlesPerHaystack exceeds the number of needles: give more needles, or ask for fewer"
)
REPEATED_LENGTH = "lengths must be distinct"
REPEATED_DEPTH = "depthsPercent must be distinct"
NIAH_RULES = rules(
    Rule(
        "self.template.split('{context}').size() == 2 "
        "&& self.template.split('{question}').size() == 2",
        PLACEHOLDERS,
        ".template",
    ),
    Rule(
        "size(self.needles) == 0 || self.needlesPerHaystack <= size(self.needles)",
        TOO_FEW_NEEDLES,
        ".needlesPerHaystack",
    ),
    Rule(
        distinct(f"self.lengths.map(n, {LENGTH.cel('n')})"),
        REPEATED_LENGTH,
        ".lengths",
    ),
    Rule(
        distinct("self.depthsPercent"),
        REPEATED_DEPTH,
        ".depthsPercent",
    ),
)


class Needle(Contract):
    """A sentence hidden in a haystack, and the question that it answers."""

    stem: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1_024,
            description='What the score is given: "The best thing to do in San Francisco is".',
        ),
    ]
    key: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1_024,
            description="What the model must find: the rest of the sentence.",
        ),
    ]
    question: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1_024,
            description="Question whose answer is the whole sentence.",
        ),
    ]


class HaystackSpec(Contract):
    """The text around the needle; default: the licence text that LCCP ships."""

    path: Annotated[
        str | None,
        Field(
            max_length=1024,
            description="File or folder of documents as the evaluator's pods see it; relative "
            "paths as in `model.source`.",
        ),
    ] = None
    format: Annotated[Literal["JSONL", "Text"], Field(description="As in `data.sources`.")] = (
        "JSONL"
    )
    text_field: Annotated[
        str,
        Field(
            min_length=1, max_length=63, description="Field of a JSONL object that holds the text."
        ),
    ] = "text"


class NiahProbe(Contract):
    """Continuous needle in a haystack: perplexity and score of the answer, by length and depth."""

    model_config = ConfigDict(json_schema_extra=NIAH_RULES)

    lengths: Annotated[
        tuple[ContextLength, ...],
        Field(
            max_length=32,
            description="Prompt lengths in tokens; default: eight, from a sixteenth of the target "
            "to the target.",
        ),
    ] = ()
    depths_percent: Annotated[
        tuple[Annotated[StrictInt, Field(ge=0, le=100)], ...],
        Field(
            min_length=1,
            max_length=21,
            description="Share of the haystack before the needle, in percent.",
        ),
    ] = DEPTHS_PERCENT
    haystacks: Annotated[
        StrictInt,
        Field(
            ge=2,
            le=1_000,
            description="Haystacks in every cell (length x depth), crossed with the needles.",
        ),
    ] = 10
    needles_per_haystack: Annotated[
        StrictInt,
        Field(
            ge=1,
            le=64,
            description="Needles that each haystack is asked with; the first ones of `needles`.",
        ),
    ] = 2
    needles: Annotated[
        tuple[Needle, ...],
        Field(max_length=64, description="Needles to hide; default: those that LCCP ships."),
    ] = ()
    haystack: Annotated[HaystackSpec, Field(description="Text around the needle.")] = HaystackSpec()
    template: Annotated[
        str,
        Field(
            min_length=1,
            max_length=4_096,
            description="Prompt, with {context} and {question}; the answer follows it.",
        ),
    ] = TEMPLATE
    separator: Annotated[
        str,
        Field(
            max_length=16,
            pattern=r"^[ \t\n]*$",
            description="White space before needle and answer, the same for both.",
        ),
    ] = " "
    seed: Annotated[StrictInt, Field(ge=0, lt=2**31, description="Seed of the samples.")] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> "NiahProbe":
        if any(self.template.count(held) != 1 for held in ("{context}", "{question}")):
            raise ValueError(PLACEHOLDERS)
        if self.needles and self.needles_per_haystack > len(self.needles):
            raise ValueError(TOO_FEW_NEEDLES)
        if len(set(self.lengths)) < len(self.lengths):
            raise ValueError(REPEATED_LENGTH)
        if len(set(self.depths_percent)) < len(self.depths_percent):
            raise ValueError(REPEATED_DEPTH)
        return self


class RetrievalHeadsProbe(Contract):
    """Retrieval score of every attention head, from the same pass as `niah`."""

    counting: Annotated[
        Literal["TokenSet", "PositionRecall", "WuCount"],
        Field(
            description="How a head's copies are counted: distinct tokens of the needle, "
            "positions of the answer, or as Wu et al. do."
        ),
    ] = "TokenSet"
    threshold: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Score above which a head is a retrieval head."),
    ] = 0.1
    hysteresis: Annotated[
        float,
        Decimal(ge=0, le=1),
        Field(description="Margin around the threshold in the series with hysteresis."),
    ] = 0.01
    top_heads: Annotated[
        StrictInt, Field(ge=1, le=4_096, description="Heads compared between checkpoints (top k).")
    ] = 30


class ProbesSpec(Contract):
    """The probes; a probe that is null is not run."""

    niah: Annotated[NiahProbe, Field(description="Needle in a haystack.")] = NiahProbe()
    retrieval_heads: Annotated[
        RetrievalHeadsProbe | None, Field(description="Retrieval heads.")
    ] = RetrievalHeadsProbe()

    @model_serializer(mode="wrap")
    def _keeps_null(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A probe that is turned off is written as null: left out, it would be on."""
        return {"retrievalHeads": None, **handler(self)}


class EvaluationSpec(Contract):
    """Evaluators: one Job for every checkpoint."""

    probes: Annotated[ProbesSpec, Field(description="What is measured.")] = ProbesSpec()
    baseline: Annotated[
        StrictBool,
        Field(description="Evaluate the base model with the raised RoPE base as checkpoint 0."),
    ] = True
    concurrency: Annotated[
        StrictInt,
        Field(ge=1, le=256, description="Evaluations that run at once.", json_schema_extra=MUTABLE),
    ] = 1
    retries: Annotated[
        StrictInt,
        Field(
            ge=0,
            le=10,
            description="Times that a failed evaluation is tried again.",
            json_schema_extra=MUTABLE,
        ),
    ] = 2
    deadline_seconds: Annotated[
        StrictInt, Field(ge=10, le=604_800, description="Longest time of one try, in seconds.")
    ] = 14_400
    accelerator_resource_name: Annotated[
        str | None,
        Field(max_length=253, description="Resource of which an evaluator takes one; none: CPU."),
    ] = None
    resources: Annotated[ResourceSpec, Field(description="Resources of an evaluator's pod.")] = (
        ResourceSpec()
    )
    image: Annotated[
        str | None,
        Field(max_length=512, description="Evaluator image; default: the installation's."),
    ] = None
    placement: Annotated[PlacementSpec, Field(description="Where evaluators run.")] = (
        PlacementSpec()
    )
    queue_name: Annotated[
        str | None,
        Field(
            max_length=253, description="Kueue LocalQueue that admits evaluators; none: no queue."
        ),
    ] = None
    queue_priority_class_name: Annotated[
        str | None,
        Field(
            max_length=253,
            description="Kueue WorkloadPriorityClass of evaluators; none: the PriorityClass of "
            "their pods counts in the queue too.",
        ),
    ] = None
    priority_class_name: Annotated[
        str | None,
        Field(max_length=253, description="PriorityClass of evaluators; lower than the gang's."),
    ] = None
    pod_template: Annotated[
        dict[str, Any],
        Field(
            description="PodTemplateSpec that is merged strategically over the operator's own. "
            "The evaluator's container is named `evaluator`.",
            json_schema_extra=FREE_OBJECT,
        ),
    ] = {}
