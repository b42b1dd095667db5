"""Turns records into text, and marks the parts of it that are predicted."""

from dataclasses import dataclass
from typing import Any, Protocol

from jinja2 import TemplateError

from lccp_trainer.data.records.reading import (
    ASSISTANT,
    Completion,
    Conversation,
    Record,
    Unusable,
)

PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{{ message['role'] | capitalize }}: {{ message['content'] | trim }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}"
    "{{ '\\n\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Assistant:{% endif %}"
)
"""`User: …`, `Assistant: …`; an answer ends with the end-of-text token."""
STAND_IN = "\u2983answer\u2984"
"""A placeholder for an answer, which occurs in no template's own text."""


class Templating(Protocol):
    """The methods used of a Hugging Face tokenizer."""

    def apply_chat_template(
        self,
        conversation: list[dict[str, Any]],
        tools: list[Any] | None,
        *,
        chat_template: str,
        add_generation_prompt: bool,
        tokenize: bool,
    ) -> Any: ...


@dataclass(frozen=True)
class Passage:
    """A text with the spans of characters that are predicted; the last span ends the text."""

    text: str
    spans: tuple[tuple[int, int], ...]
    marked: bool
    """Whether the tokenizer adds its own marks (a template has them in the text)."""


def rendered(record: Record, tokenizer: Templating, template: str | None) -> Passage | Unusable:
    """The passage of a record.

    Args:
        template: the Jinja template that makes text of a conversation.
    """
    if isinstance(record, Completion):
        start, text = len(record.prompt), record.prompt + record.completion
        return Passage(text, ((start, len(text)),), marked=True)
    if template is None:
        return Unusable(
            "messages need a chat template, and the model has none: set sft.template to Plain"
        )
    tools = None if record.tools is None else list(record.tools)
    return _Renderer(tokenizer, template, tools).passage(record)


@dataclass(frozen=True)
class _Renderer:
    tokenizer: Templating
    template: str
    tools: list[Any] | None

    def passage(self, conversation: Conversation) -> Passage | Unusable:
        messages, spans = list(conversation.messages), []
        try:
            text = self._text(messages)
            for number, message in enumerate(messages):
                if message["role"] == ASSISTANT:
                    span = self._span(messages, number, text)
                    if isinstance(span, Unusable):
                        return span
                    spans.append(span)
        except (TemplateError, TypeError, ValueError, LookupError, AttributeError) as error:
            return Unusable(f"the chat template rejects it: {error}")
        return Passage(text, tuple(spans), marked=False)

    def _span(
        self, messages: list[dict[str, Any]], number: int, text: str
    ) -> tuple[int, int] | Unusable:
        """The span that the model should write as message `number`, with the mark that ends it.

        It begins where the template prompts for an answer.
        """
        asked, content = self._text(messages[:number], asks=True), messages[number]["content"]
        if not text.startswith(asked):
            return Unusable(
                f"messages[{number}]: the chat template's prompt for this answer is not the "
                "beginning of the conversation's text"
            )
        last = number == len(messages) - 1
        closing = "" if last else self._closing(messages[:number])
        said = self._text(messages[: number + 1])
        is_apart = text.startswith(said)
        end = len(said) if is_apart else len(text)
        for answer in (content, content.strip()):
            at = text.find(answer + closing, len(asked), end)
            if at >= 0 and (is_apart or at == text.find(answer, len(asked))):
                return len(asked), len(text) if last else at + len(answer + closing)
        if is_apart and content.strip() in said[len(asked) :]:
            return len(asked), len(said)
        return Unusable(f"messages[{number}]: the chat template omits the answer, or a part of it")

    def _closing(self, before: list[dict[str, Any]]) -> str:
        """The text that the template puts after an answer."""
        answer = {"role": ASSISTANT, "content": STAND_IN}
        return self._text([*before, answer]).partition(STAND_IN)[2]

    def _text(self, messages: list[dict[str, Any]], asks: bool = False) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                messages,
                self.tools,
                chat_template=self.template,
                add_generation_prompt=asks,
                tokenize=False,
            )
        )
