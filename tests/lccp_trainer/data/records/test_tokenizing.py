import pytest
from chat import MARKED, byte_tokenizer
from hypothesis import given
from hypothesis import strategies as st

from lccp_trainer.data.records.reading import Completion, Conversation
from lccp_trainer.data.records.rendering import Passage, rendered
from lccp_trainer.data.records.tokenizing import tokenized

TOKENIZER = byte_tokenizer()
END = TOKENIZER.eos_token_id


def passage(prompt: str, completion: str) -> Passage:
    found = rendered(Completion(prompt, completion), TOKENIZER, None)
    assert isinstance(found, Passage)
    return found


@pytest.mark.slow
@given(st.lists(st.tuples(st.text("the question", max_size=20), st.text("an swer", min_size=1))))
def test_a_model_that_has_the_prompt_is_to_write_exactly_what_is_predicted(
    pairs: list[tuple[str, str]],
) -> None:
    for (prompt, completion), tokens in zip(
        pairs, tokenized([passage(*pair) for pair in pairs], TOKENIZER), strict=True
    ):
        given_ids = TOKENIZER(prompt)["input_ids"]
        assert TOKENIZER.decode(tokens.ids[:-1]) == prompt + completion
        first = int(tokens.predicted.argmax())
        nothing_precedes_it = first == 1
        assert nothing_precedes_it or tokens.ids[:first].tolist() == given_ids[:first]
        assert tokens.predicted[first:].all()
        assert tokens.ids[-1] == END


def test_a_token_over_the_boundary_is_predicted() -> None:
    (tokens,) = tokenized([passage("th", "e answer")], TOKENIZER)
    assert TOKENIZER.decode(tokens.ids[:1]) == "the"
    assert tokens.predicted.tolist() == [False] + [True] * (len(tokens.ids) - 1)


def test_between_answers_nothing_is_predicted() -> None:
    roles = ("user", "assistant", "user", "assistant")
    messages = tuple({"role": role, "content": f"the {role}"} for role in roles)
    found = rendered(Conversation(messages), TOKENIZER, MARKED)
    assert isinstance(found, Passage)
    (tokens,) = tokenized([found], TOKENIZER)
    of_answers = TOKENIZER.decode(tokens.ids[tokens.predicted])
    of_questions = TOKENIZER.decode(tokens.ids[~tokens.predicted])
    assert of_answers == "the assistant<|end|>\nthe assistant<|end|>\n<eos>"
    assert of_questions == "<|user|>the user<|end|>\n<|assistant|>" * 2


def test_an_end_that_is_there_is_not_doubled() -> None:
    (tokens,) = tokenized([passage("the ", "answer<eos>")], TOKENIZER)
    assert (tokens.ids == END).sum() == 1
    assert tokens.predicted[-1]
