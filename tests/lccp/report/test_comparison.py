"""Which checkpoints are compared, and what their heads have in common."""

from collections.abc import Sequence

import a_run
import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.statistics import head_scores
from lccp.report.comparison import compared, pair
from lccp.report.load import RunData

EARLY, MIDDLE, LATE = (a_run.CHECKPOINTS[i] for i in (2, 5, 9))


def a_data(checkpoints: Sequence[int], title: str = "a") -> RunData:
    return RunData(
        title,
        a_run.reports(checkpoints),
        fetch=lambda report, name: a_run.packed(
            a_run.details(report.tokens)[name.removesuffix(".npz")]
        ),
    )


def test_without_tokens_it_is_the_newest_at_which_both_were_evaluated() -> None:
    runs = a_data([EARLY, MIDDLE]), a_data([EARLY, LATE], "b")
    a, b = pair((runs[0], None), (runs[1], None))
    assert (a.report.tokens, b.report.tokens) == (EARLY, EARLY)
    a, b = pair((runs[0], MIDDLE), (runs[1], None))
    assert (a.report.tokens, b.report.tokens) == (MIDDLE, LATE)
    a, b = pair((a_data([MIDDLE]), None), (a_data([EARLY, LATE]), None))
    assert (a.report.tokens, b.report.tokens) == (MIDDLE, LATE)


def test_tokens_without_a_report_are_refused_with_the_nearest() -> None:
    run = a_data([EARLY, LATE])
    with pytest.raises(InvalidInput, match=f"^a: has no report at 5 tokens; .* at {EARLY}$"):
        pair((run, 5), (run, LATE))
    with pytest.raises(InvalidInput, match=r"^c: has no report to compare yet$"):
        pair((run, EARLY), (RunData("c", ()), None))


def test_heads_of_the_second_are_compared_with_those_of_the_first() -> None:
    run = a_data([EARLY, LATE])
    found = compared(*pair((run, EARLY), (run, LATE)))
    scores = [a_run.details(tokens)["retrieval_heads"]["scores"] for tokens in (EARLY, LATE)]
    values = {one.signal.name: one.values for one in found.agreements}
    assert values["head_spearman"] == (
        None,
        head_scores.spearman(*(s.ravel() for s in scores)),
    )
    assert None not in values["head_spearman_ceiling"]


def test_without_what_lies_beside_a_report_signals_alone_are_compared() -> None:
    run = RunData("a", a_run.reports([EARLY, LATE]))
    found = compared(*pair((run, EARLY), (run, LATE)))
    assert found.differences
    assert found.agreements == ()
