"""What is reported of an error."""

import pytest

from lccp.contract.errors import Incompatible, StoreUnavailable, sentence_of


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (StoreUnavailable("the store does not answer"), "the store does not answer"),
        (Incompatible("of another version"), "of another version"),
        (KeyError("name"), "KeyError: 'name'"),
    ],
)
def test_an_error_that_is_no_sentence_is_told_with_its_type(
    error: Exception, sentence: str
) -> None:
    assert sentence_of(error) == sentence
