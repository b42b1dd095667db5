"""Continuous needle in a haystack: settings, signals, charts.

NIAH-PPL is exp of the mean NLL (nats per answer token) of a band's samples, each weighing the same.
`niah_score` is the share of samples in which every token of the key is the arg-max, given the stem;
`niah_exact` asks it of every token of the answer.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, let, rules
from lccp.contract.quantities import LENGTH, ContextLength
from lccp.contract.signals import Band, Better, Role, Scale, Signal
from lccp.probes.probe import Axis, Column, Course, HeatMaps, Probe, Profile

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
        let(
            "counts",
            f"self.lengths.map(n, {LENGTH.cel('n')})",
            f"-1 in counts || {distinct('counts')}",
        ),
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
    """The text around the needle: documents of your own, or else text that LCCP makes up."""

    language: Annotated[
        Literal["English", "Chinese", "Code"],
        Field(description="What LCCP makes up where no `path` is given, from `seed`."),
    ] = "English"
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


class NiahSettings(Contract):
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
    def _is_consistent(self) -> "NiahSettings":
        if any(self.template.count(held) != 1 for held in ("{context}", "{question}")):
            raise ValueError(PLACEHOLDERS)
        if self.needles and self.needles_per_haystack > len(self.needles):
            raise ValueError(TOO_FEW_NEEDLES)
        if len(set(self.lengths)) < len(self.lengths):
            raise ValueError(REPEATED_LENGTH)
        if len(set(self.depths_percent)) < len(self.depths_percent):
            raise ValueError(REPEATED_DEPTH)
        return self


LENGTH_BEYOND = "evaluation.probes.niah.lengths lies beyond model.targetContextLength"
SPEC_RULES = (
    Rule(
        "!has(self.evaluation.probes.niah) || "
        + let(
            "target",
            LENGTH.cel_at("self.model.targetContextLength"),
            f"target < 0 || "
            f"self.evaluation.probes.niah.lengths.all(n, {LENGTH.cel('n')} <= target)",
        ),
        LENGTH_BEYOND,
        ".evaluation.probes.niah.lengths",
    ),
)


def fits(settings: NiahSettings, target_context: int) -> str | None:
    """What is wrong with the settings for a target context of so many tokens, or None."""
    beyond = [length for length in settings.lengths if length > target_context]
    return f"{LENGTH_BEYOND} ({beyond[0]:,} > {target_context:,})" if beyond else None


def files(settings: NiahSettings) -> dict[str, str]:
    """The haystacks' path, where one is given."""
    path = settings.haystack.path
    return {} if path is None else {"niah.haystack.path": path}


def signals(_settings: NiahSettings) -> tuple[Signal, ...]:
    """Signals of both bands; one whose band holds no length is not measured."""
    return (*_of_band("extension"), *_of_band("guard"))


def _of_band(band: Band) -> tuple[Signal, ...]:
    suffix, within = ("", "") if band == "extension" else ("_guard", ", guard band")
    ppl_role = Role.PRIMARY if band == "extension" else Role.GUARD
    score_role = Role.CEILING if band == "extension" else Role.SHOWN
    ppl: dict[str, Any] = {"unit": "PPL", "scale": Scale.LOG, "better": Better.LOWER}
    return (
        Signal(
            name=f"niah_ppl{suffix}", title=f"NIAH-PPL{within}", role=ppl_role, band=band, **ppl
        ),
        Signal(
            name=f"niah_score{suffix}",
            title=f"NIAH score{within}",
            unit="share",
            role=score_role,
            band=band,
        ),
        Signal(name=f"niah_exact{suffix}", title=f"NIAH exact{within}", unit="share", band=band),
        Signal(name=f"niah_mean_ppl{suffix}", title=f"Mean of NIAH PPLs{within}", band=band, **ppl),
    )


LENGTHS = Axis("length", "length (tokens)", "lengths", "tokens")
DEPTHS = Axis("depth", "depth", "depths_percent", "percent")
CHARTS = (
    Course(
        "NIAH score and perplexity against tokens",
        "Above, the share of needles that the model recalls word for word; below, the perplexity "
        "of the needle's answer. Once the score stands at its ceiling, only the perplexity tells "
        "whether training still improves retrieval. Solid lines: lengths beyond the source "
        "context; dashed: lengths within it, which must not get worse. Shades: the verdict as it "
        "was known then; dotted line: the checkpoint since which the run is saturated.",
        (("niah_score", "niah_score_guard"), ("niah_ppl", "niah_ppl_guard")),
    ),
    HeatMaps(
        "Perplexity by length and depth",
        "Right of the white line lie the lengths beyond the source context. Bright cells are "
        "places where the needle is hard to recall; they should darken from panel to panel.",
        array="ppl",
        unit="PPL",
        down=DEPTHS,
        across=LENGTHS,
        scale=Scale.LOG,
        divided=True,
    ),
    Profile(
        "Perplexity by depth",
        "Mean over the lengths beyond the source context, a line for each checkpoint. A hump is "
        "the model being lost in the middle; training should flatten it.",
        array="ppl_by_depth",
        unit="PPL",
        along=DEPTHS,
        scale=Scale.LOG,
    ),
)

PROBE = Probe(
    name="niah",
    description="Needle in a haystack.",
    version=1,
    settings=NiahSettings,
    default=NiahSettings(),
    signals=signals,
    columns=(Column("niah_ppl", "NIAH-PPL"), Column("niah_score", "Score", wide=True)),
    charts=CHARTS,
    rules=SPEC_RULES,
    fits=fits,
    files=files,
)
