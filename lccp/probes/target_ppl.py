"""Perplexity of the answers to your own questions: JSONL of context, question and answer.

A needle convinces nobody whose product reads contracts. Each line of the file is one prompt: the
template with its context and question, followed by its answer, under teacher forcing. The first
questions whose prompts fit into the longest length are used, and none is cut: the report says how
many were left out. The NLL of a question is the mean over the tokens of its answer. Texts weigh
alike, however many questions there are about each: every signal is a mean over the texts of a
band, where each text counts with the mean over its questions.

- `target_ppl` is `exp` of the mean NLL.
- `target_score` is the share of questions in which every token of the answer is the arg-max.
- `target_context_gain` is the NLL of the answers where the context is left empty, less that with
  it, in nats a token. Where it is near 0, the context is of no use or the model knows the answers
  anyway, and the perplexity says nothing about long contexts.

Bands: `extension` holds the prompts longer than the source context, `guard` the others (signals
that end with `_guard`). Clusters: contexts; questions about one text are one cluster, and a band
with fewer than two is not measured.
"""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt, model_validator

from lccp.contract.base import Contract
from lccp.contract.cel import Rule, distinct, rules
from lccp.contract.quantities import ContextLength
from lccp.contract.signals import Better, Scale, Signal
from lccp.probes.probe import Axis, ClusterKind, Contexts, Probe, Profile, SignalCurves
from lccp.probes.settings import bands, context_lengths, prompts
from lccp.probes.settings.prompts import Documents, Template

REPEATED_FIELD = "contextField, questionField and answerField must be distinct"
FIELDS = "[self.contextField, self.questionField, self.answerField]"

FieldName = Annotated[str, Field(min_length=1, max_length=63)]


class TargetPplSettings(Contract):
    """Perplexity of the answers to your own questions about your own texts."""

    model_config = ConfigDict(
        json_schema_extra=rules(prompts.HOLDS_BOTH, Rule(distinct(FIELDS), REPEATED_FIELD))
    )

    path: Annotated[
        str,
        Field(
            min_length=1,
            max_length=1024,
            description="JSONL file, or folder of such files, as the evaluator's pods see it; "
            "relative paths as in `model.source`.",
        ),
    ]
    context_field: Annotated[
        FieldName, Field(description="Field of a JSONL object that holds the text.")
    ] = "context"
    question_field: Annotated[FieldName, Field(description="The same of the question.")] = (
        "question"
    )
    answer_field: Annotated[FieldName, Field(description="The same of its right answer.")] = (
        "answer"
    )
    length: Annotated[
        ContextLength | None,
        Field(
            description="Longest prompt in tokens, answer included; a longer one is left out. "
            "Default: the target context."
        ),
    ] = None
    questions: Annotated[
        StrictInt, Field(ge=2, le=10_000, description="Questions that are asked, at most.")
    ] = 200
    template: Template = prompts.DEFAULT

    @model_validator(mode="after")
    def _is_consistent(self) -> "TargetPplSettings":
        prompts.check_template(self.template)
        if len({self.context_field, self.question_field, self.answer_field}) < 3:
            raise ValueError(REPEATED_FIELD)
        return self


def resolved(settings: TargetPplSettings, contexts: Contexts) -> TargetPplSettings:
    """`settings` with the length to use. Raises InvalidInput if it does not fit."""
    length = settings.length or contexts.target
    context_lengths.resolved((length,), (), contexts, "targetPpl.length")
    return settings.model_copy(update={"length": length})


def clusters(settings: TargetPplSettings) -> tuple[ClusterKind, ...]:
    """The texts, as many as questions if no two are about the same text."""
    return (ClusterKind("context", settings.questions, "Text"),)


def documents(settings: TargetPplSettings) -> dict[str, Documents]:
    """The texts that questions are about."""
    texts = Documents(path=settings.path, format="JSONL", text_field=settings.context_field)
    return {"evaluation.probes.targetPpl.path": texts}


def signals(_settings: TargetPplSettings) -> tuple[Signal, ...]:
    """Signals of both bands; one whose band holds fewer than two contexts is not measured."""
    return bands.both(
        (
            Signal(
                name="target_ppl",
                title="Target PPL",
                unit="PPL",
                scale=Scale.LOG,
                better=Better.LOWER,
            ),
            Signal(name="target_score", title="Target score", unit="share"),
            Signal(name="target_context_gain", title="Target context gain", unit="nats"),
        )
    )


PROBE = Probe(
    name="target_ppl",
    description="Your own questions about your own texts.",
    definition=__doc__,
    version=2,
    settings=TargetPplSettings,
    default=None,
    example=TargetPplSettings(path="questions.jsonl"),
    resolved=resolved,
    signals=signals,
    clusters=clusters,
    charts=(
        SignalCurves(
            "Your own questions against tokens",
            "Above, the perplexity of the right answers; below, by how much the context lowers "
            "their NLL. Where needles have levelled off and this has not, training still pays for "
            "your use.",
            (("target_ppl", "target_ppl_guard"), ("target_context_gain",)),
        ),
        Profile(
            "Perplexity of answers by length of the prompt",
            "Mean over the questions from that length to twice it, a line for each checkpoint. "
            "Texts of one length differ from those of another, so compare lines, not points.",
            array="ppl_by_length",
            unit="PPL",
            along=Axis("length", "length from (tokens)", "lengths", "tokens"),
            scale=Scale.LOG,
        ),
    ),
    rules=(context_lengths.one_within_target("target_ppl", "length"),),
    fits=context_lengths.fits("target_ppl", "length"),
    documents=documents,
)
