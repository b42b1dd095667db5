"""What a slip in a shell makes is refused by name, before anything is read."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from typer.testing import Result

SLIPS = [
    (("evaluate", "", "--out", "out"), "MODEL: is empty: give a value"),
    (("evaluate", "--series", "a", "", "--out", "out"), "MODEL: is empty: give a value"),
    (("evaluate", "a", "--out", ""), "--out: is empty: give a value"),
    (("report", ""), "RUN: is empty: give a value"),
    (("compare", "", "a"), "RUN[@TOKENS]: is empty: give a value"),
    (("doctor", ""), "MANIFEST: is empty: give a value, or leave it out"),
    (("watch", "a", "--out", "b", "--marker="), "--marker: is empty: give a value, or leave it"),
    (("data", "prepare", "a", "--out", "b", "--source", ""), "--source: is empty: give a value"),
    (("grafana", "push", "--folder", "", "--url", "u"), "--folder: is empty: give a value"),
]


@pytest.mark.parametrize(("arguments", "sentence"), SLIPS, ids=[" ".join(row[0]) for row in SLIPS])
def test_an_empty_argument_is_refused(
    lccp: Callable[..., Result], arguments: tuple[str, ...], sentence: str
) -> None:
    result = lccp(*arguments)

    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith(f"lccp: {sentence}")


def test_what_may_be_empty_is_taken(lccp: Callable[..., Result]) -> None:
    empty = lccp("evaluate", "gone", "--out", "b", "--separator", "", "--seed", "-1")

    assert "--seed: " in empty.stderr


def test_help_is_wrapped_where_the_terminal_ends(
    lccp: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    for command in ("evaluate", "watch"):
        lines = [line.rstrip() for line in lccp(command, "--help").stdout.split("\n")]
        told = lines[: lines.index(" Examples:")]
        short = [line for line, after in pairwise(told) if after and 0 < len(line) < 60]
        assert not short
