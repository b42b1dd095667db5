import pytest
from chat import CALLING, DROPPING, ELSEWHERE, MARKED, REFUSING, THINKING, byte_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.records.reading import Completion, Conversation, Unusable
from lccp_trainer.data.records.rendering import PLAIN_TEMPLATE, Passage, rendered

TOKENIZER = byte_tokenizer()


def conversation(*contents: str) -> Conversation:
    """Messages of user and assistant in turn."""
    roles = ("user", "assistant")
    return Conversation(
        tuple({"role": roles[i % 2], "content": text} for i, text in enumerate(contents))
    )


def predicted(template: str, *contents: str) -> list[str]:
    found = rendered(conversation(*contents), TOKENIZER, template)
    assert isinstance(found, Passage), found
    assert found.spans[-1][1] == len(found.text)
    return [found.text[start:end] for start, end in found.spans]


def test_of_a_prompt_and_its_completion_the_completion_is_predicted() -> None:
    found = rendered(Completion("1 + 1 =", " 2"), TOKENIZER, None)
    assert found == Passage("1 + 1 = 2", ((7, 9),), marked=True)


def test_every_answer_is_predicted_with_the_mark_that_ends_it() -> None:
    assert predicted(MARKED, "q", "first", "q", "second") == ["first<|end|>\n", "second<|end|>\n"]


def test_an_answer_is_found_whatever_it_has_in_common_with_the_template() -> None:
    for answer in ("t", "end", "<", "|>", "n\n", "think"):
        text = answer.strip()
        assert predicted(THINKING, "q", answer, "q", answer) == [
            f"{text}<|end|>\n",
            f"<think>\n\n</think>\n\n{text}<|end|>\n",
        ]


def test_an_answer_is_predicted_with_what_the_template_makes_of_its_other_fields() -> None:
    messages = (
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a", "calls": ["now()"]},
        {"role": "tool", "content": "noon"},
        {"role": "assistant", "content": "Noon.", "calls": []},
    )
    found = rendered(Conversation(messages, tools=({"name": "now"},)), TOKENIZER, CALLING)
    assert isinstance(found, Passage), found
    assert found.text.startswith("now: <|user|>q")
    assert [found.text[start:end] for start, end in found.spans] == [
        "a<call>now()<|end|>\n",
        "Noon.<|end|>\n",
    ]


CALLED = Conversation(
    (
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "Done.", "calls": ["now()"]},
        {"role": "tool", "content": "noon"},
        {"role": "assistant", "content": "Done."},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "a"},
    )
)


def test_an_answer_with_other_fields_is_not_sought_in_messages_after_it() -> None:
    found = rendered(CALLED, TOKENIZER, CALLING)
    assert isinstance(found, Passage), found
    assert [found.text[start:end] for start, end in found.spans] == [
        "Done.<call>now()<|end|>\n",
        "Done.<|end|>\n",
        "a<|end|>\n",
    ]


def test_one_whose_end_the_template_does_not_show_is_refused() -> None:
    thought = "{% if message.role == 'assistant' and loop.last %}<think>{% endif %}"
    thinking = CALLING.replace("{{ message.content", f"{thought}{{{{ message.content")
    found = rendered(CALLED, TOKENIZER, thinking)
    assert isinstance(found, Unusable)
    assert found.reason.startswith("messages[1]: the chat template omits the answer")


def test_the_plain_template_ends_answers_with_the_end_of_text() -> None:
    found = rendered(conversation("q", "a"), TOKENIZER, PLAIN_TEMPLATE)
    assert isinstance(found, Passage)
    assert found.text == "User: q\n\nAssistant: a<eos>\n\n"
    assert predicted(PLAIN_TEMPLATE, "q", "a", "r", "b") == [" a<eos>\n\n", " b<eos>\n\n"]


@pytest.mark.slow
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=2, max_size=6))
def test_what_is_predicted_is_what_the_assistant_said(contents: list[str]) -> None:
    contents = contents[: len(contents) // 2 * 2]
    for template in (MARKED, PLAIN_TEMPLATE):
        spans = predicted(template, *contents)
        assert len(spans) == len(contents) // 2
        for span, answer in zip(spans, contents[1::2], strict=True):
            assert answer.strip() in span
            assert len(span) <= len(answer) + len(" <|end|>\n\n")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        (None, "messages need a chat template, and the model has none: set sft.template to Plain"),
        (DROPPING, "messages[1]: the chat template omits the answer"),
        (ELSEWHERE, "messages[1]: the chat template's prompt for this answer is not"),
        (REFUSING, "the chat template rejects it: roles must alternate"),
        ("{% for", "the chat template rejects it: "),
    ],
)
def test_a_template_that_does_not_fit_is_refused(template: str | None, reason: str) -> None:
    found = rendered(conversation("question", "answer"), TOKENIZER, template)
    assert isinstance(found, Unusable)
    assert found.reason.startswith(reason)
