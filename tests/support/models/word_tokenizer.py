"""A tokenizer of numbers, which processes started by tests can load too."""

import os
import signal
import time
from typing import Any

END = 999


class Words:
    """Every word is a token id."""

    eos_token_id: int | None = END
    calls = 0
    """Texts that were tokenized by this process."""

    def __call__(self, text: list[str], *, verbose: bool) -> Any:
        Words.calls += len(text)
        return {"input_ids": [[int(word) for word in one.split()] for one in text]}


class Killed(Words):
    """Its process is killed when it is used."""

    def __call__(self, text: list[str], *, verbose: bool) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)


class Interrupted(Words):
    """A terminal's Ctrl-C reaches its process."""

    def __call__(self, text: list[str], *, verbose: bool) -> Any:
        os.kill(os.getpid(), signal.SIGINT)
        return super().__call__(text, verbose=verbose)


class FailsAtZero(Words):
    """The text `0` fails, any other takes a minute."""

    def __call__(self, text: list[str], *, verbose: bool) -> Any:
        if text == ["0"]:
            raise ZeroDivisionError
        time.sleep(60)
        return super().__call__(text, verbose=verbose)
