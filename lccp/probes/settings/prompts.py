"""What a prompt is made of: a text, a question about it, and the template that joins them."""

from typing import Annotated, Literal

from pydantic import Field

from lccp.contract.base import Contract
from lccp.contract.cel import Rule

DEFAULT = "{context}\n\nQuestion: {question}\nAnswer:"
PLACEHOLDERS = "template must hold {context} and, after it, {question}, exactly once each"
HOLDS_BOTH = Rule(
    "self.template.split('{context}').size() == 2 && self.template.split('{question}').size() == 2 "
    "&& self.template.indexOf('{context}') < self.template.indexOf('{question}')",
    PLACEHOLDERS,
    ".template",
)

Template = Annotated[
    str,
    Field(
        min_length=1,
        max_length=4_096,
        description="Prompt, with {context} and, after it, {question}; the answer follows it.",
    ),
]


def check_template(template: str) -> None:
    """Raise ValueError unless both places are there, with the question after the context,
    since prompts share their beginning; `HOLDS_BOTH` is the same in CEL.
    """
    context, question = "{context}", "{question}"
    once = template.count(context) == template.count(question) == 1
    if not once or template.index(context) > template.index(question):
        raise ValueError(PLACEHOLDERS)


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


class Documents(Contract):
    """Documents in files, or text that LCCP generates."""

    language: Annotated[
        Literal["English", "Chinese", "Code"],
        Field(description="Text that LCCP generates from `seed` if no `path` is given."),
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
