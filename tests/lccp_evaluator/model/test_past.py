import pytest

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.past import NAMES, Past


@pytest.mark.parametrize("name", NAMES)
def test_a_pass_goes_on_from_the_cache_of_the_one_before(name: str) -> None:
    past, cache = Past(), object()
    assert past.before(0) == {"use_cache": True}

    past.keep({"logits": object(), name: cache})
    assert past.before(7) == {"use_cache": True, name: cache}


def test_a_passage_begins_without_the_cache_of_another() -> None:
    past = Past()
    past.keep({"cache": object(), "past_key_values": object()})

    assert set(past.before(1)) == {"use_cache", "cache"}
    assert past.before(0) == past.before(1) == {"use_cache": True}


def test_a_model_without_a_cache_is_refused() -> None:
    with pytest.raises(InvalidInput, match="the model returns no cache"):
        Past().keep({"logits": object(), "past_key_values": None})
