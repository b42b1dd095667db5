"""Metrics of the verdict and the forecast."""

from collections.abc import Callable

import a_run
import pytest
from scraped import Scraped

from lccp.api.objects.verdict import Answer, Gate
from lccp.store.file import FileStore
from lccp_exporter.facts import ExportedFacts, ExportedVerdict
from lccp_exporter.metrics.verdict import VERDICT
from lccp_exporter.refresh import Runs, StoreWatch

pytestmark = pytest.mark.slow

Value = Callable[..., float | None]


def test_exactly_one_state_of_the_verdict_is_one(value: Value) -> None:
    assert value("lccp_verdict", state="DeceptivelySaturated") == 1
    others = ("Improving", "Saturated", "Regressing", "Undetermined")
    assert [value("lccp_verdict", state=state) for state in others] == [0, 0, 0, 0]


def test_the_least_gain_is_that_of_the_leading_signal() -> None:
    judged = ExportedVerdict.of(a_run.verdict_with_own_min_gain(0.05))
    (metric,) = [one for one in VERDICT if one.name == "lccp_min_gain"]
    assert metric.samples(ExportedFacts("default", "tiny", judged=judged)) == [((), 0.05)]


@pytest.mark.parametrize("answer", ["Yes", "No", "Undecided"])
def test_a_gate_has_one_answer(store: FileStore, watch: StoreWatch, answer: Answer) -> None:
    gate = Gate(answer=answer, sentences=())
    verdict = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:7])).model_copy(update={"gate": gate})
    store.put(a_run.KEYS.verdict, verdict.to_json())
    watch.refresh()
    shown = Scraped.of(Runs([watch])).samples("lccp_gate")
    assert {one.labels["answer"]: one.value for one in shown} == {
        each: float(each == answer) for each in ("Yes", "No", "Undecided")
    }


def test_a_run_without_a_gate_has_no_answer(watch: StoreWatch) -> None:
    assert Scraped.of(Runs([watch])).samples("lccp_gate") == []
