"""Sections of the page, in words and rows."""

from collections.abc import Sequence
from dataclasses import replace

import a_branch
import a_run
import pytest
from pages import Page

from lccp.analysis.correlation import correlations
from lccp.analysis.verdict import judge
from lccp.api.causes import Cause
from lccp.api.objects.report import EvaluationFailure, ProbeReport
from lccp.api.objects.training import StepRecord
from lccp.contract.signals import Role
from lccp.report.judged import policy_of, verdict_of
from lccp.report.load import RunData
from lccp.report.page.sections import PAIRS_MAX, SPIKES_MAX, sections
from lccp.report.summary import Summary

pytestmark = pytest.mark.slow


def page(data: RunData) -> str:
    verdict = verdict_of(data)
    return "\n".join(sections(data, verdict, Summary.of(data, verdict)))


def words(data: RunData) -> str:
    return " ".join(Page(page(data)).words)


@pytest.fixture(scope="module")
def text(plain: RunData) -> str:
    return page(plain)


def test_the_least_gain_is_that_of_the_leading_signal(plain: RunData) -> None:
    other = replace(plain, verdict=a_run.verdict_with_own_min_gain(0.05))
    assert "0.05 per horizon" in words(other)


def test_every_checkpoint_has_a_row(text: str) -> None:
    rows = text[text.index("<tbody>") : text.index("</tbody>")].count("<tr>")
    assert rows == len(a_run.CHECKPOINTS)


def test_a_guard_of_an_external_suite_has_a_column_with_its_values(plain: RunData) -> None:
    signal = plain.reports[-1].probes["niah"].signals[0]
    own = {"name": "mine/acc", "title": "Clauses", "role": Role.GUARD, "unit": "", "value": 77.25}
    guard = signal.model_copy(update=own | {"by_cluster": {}, "interval": None})
    probe = ProbeReport(version=1, settings={}, signals=(guard,))
    newest = plain.reports[-1].model_copy(update={"suite": "mine", "probes": {"mine": probe}})
    verdict = judge([*plain.reports, newest], policy_of(plain))

    shown = words(replace(plain, verdict=verdict))

    assert "Clauses" in shown
    assert "77.25" in shown


def test_the_page_tells_what_the_trainers_told(plain: RunData) -> None:
    told = {"router": a_run.ROUTER, "spike": a_run.SPIKE, "loss_by_source": {"books": 2.625}}
    last = plain.history[-1].model_copy(update=told)
    tokens = {"books": 300, "web": 100}
    told_last = replace(plain, history=(*plain.history[:-1], last), tokens_per_source=tokens)
    titles = {"Loss by source", "Routers of the experts", "Steps that stood out"}
    shown = Page(page(told_last))
    assert titles | {"Where the time went"} <= set(shown.titles)
    for said in ("75 %", "40 %", "books 75 % 2.625 2.625", "its batch was left out"):
        assert said in " ".join(shown.words)


def test_losses_on_held_out_documents_are_told_from_the_first_checkpoint_to_the_last(
    plain: RunData, text: str
) -> None:
    measured = tuple(a_run.held_out(tokens) for tokens in (0, a_run.BUDGET_TOKENS // 2))
    shown = words(replace(plain, held_out=measured))
    assert "long beyond it 3.000 2.500" in shown
    assert "Loss on held-out documents" not in text


def test_a_run_without_experts_or_spikes_has_no_such_sections(text: str) -> None:
    sections = {"Loss by source", "Routers of the experts", "Steps that stood out"}
    assert sections.isdisjoint(Page(text).titles)


def test_a_failed_evaluation_has_a_row_with_its_reason(plain: RunData, text: str) -> None:
    failure = EvaluationFailure(
        cause=Cause.INTERNAL, message="out of luck", exit_code=70, at=a_run.START
    )
    told = replace(plain, failures={999_000: failure})

    shown = page(told)
    assert "evaluation failed: out of luck" in shown
    assert shown.count("<tr>") == text.count("<tr>") + 1


@pytest.mark.parametrize(("spikes", "told"), [(SPIKES_MAX, 0), (SPIKES_MAX + 3, 1)])
def test_the_newest_spikes_are_told_and_how_many_are_not(
    plain: RunData, spikes: int, told: int
) -> None:
    history: Sequence[StepRecord] = [
        line.model_copy(update={"spike": a_run.SPIKE}) for line in a_run.history(steps=spikes)
    ]
    text = words(replace(plain, history=tuple(history)))

    assert text.count("its batch was left out") == SPIKES_MAX
    assert text.count("3 earlier ones are not shown.") == told


def test_an_attempt_says_where_its_time_went(plain: RunData) -> None:
    update = {"seconds": {"productive": 7_200, "lost": 95}}
    attempt = a_run.journal().attempts[0].model_copy(update=update)
    journal = a_run.journal().model_copy(update={"attempts": (attempt,)})
    assert "productive 2 h 0 min, lost 1 min 35 s" in words(replace(plain, journal=journal))


def test_an_attempt_that_goes_on_is_running(plain: RunData) -> None:
    attempt = a_run.journal().attempts[0].model_copy(update={"ended_at": None, "cause": None})
    journal = a_run.journal().model_copy(update={"attempts": (attempt,)})
    titles = Page(page(replace(plain, journal=None))).titles

    assert "running" in words(replace(plain, journal=journal))
    assert "Attempts" not in titles


def test_the_clearest_pairs_of_signals_are_shown_and_the_others_counted(
    plain: RunData, text: str
) -> None:
    found = correlations(verdict_of(plain))
    section = text[text.index("Signals that move together") :]
    rows = section[section.index("<tbody>") : section.index("</tbody>")]
    assert rows.count("<tr>") == PAIRS_MAX < len(found.pairs)
    assert f"{len(found.pairs) - PAIRS_MAX} further pairs are not shown." in section


def test_a_run_with_few_checkpoints_has_no_correlations(plain: RunData) -> None:
    young = replace(plain, reports=plain.reports[:4], verdict=None)
    assert "Signals that move together" not in Page(page(young)).titles


def test_branches_have_a_row_each_with_their_values(plain: RunData, text: str) -> None:
    at = a_run.CHECKPOINTS[4]
    branched = replace(plain, branches=(a_branch.report(at),))
    ppl = plain.reports[4].signal("niah_ppl")
    assert ppl is not None
    shown = Page(page(branched))
    assert "Anneal branches" in shown.titles
    assert f"410 K evaluated {a_branch.annealed(ppl.value):.3f}" in " ".join(shown.words)
    assert "Anneal branches" not in Page(text).titles
