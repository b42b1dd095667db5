"""What another process returns: its answers, its errors, or the news that it ended."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp_evaluator.spread.process import Process, ProcessLost, failed


def test_a_process_that_ends_without_a_word_is_lost() -> None:
    process = Process("lccp_evaluator.of_no_such_name", 1, "process 1")

    with pytest.raises(ProcessLost, match=r"process 1 ended with exit code 1: read its log"):
        process.answer()
    process.end()


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (InvalidInput("config.json is missing"), InvalidInput, "^config.json is missing$"),
        (MemoryError("of 3 GB"), MemoryError, "^of 3 GB$"),
        (IndexError("out of range"), RuntimeError, "^IndexError: out of range$"),
    ],
)
def test_an_error_is_sent_as_one_of_its_cause(
    error: Exception, kind: type[Exception], sentence: str
) -> None:
    sent = failed(error).error

    with pytest.raises(kind, match=sentence):
        raise sent
