"""Signals of a branch are told apart from the run's own."""

import a_run

from lccp.api.labels import ANNEAL, INTRINSIC
from lccp.contract.signals import Role
from lccp_evaluator.branches import of_suite

REPORT = a_run.report(8_192)


def test_the_probes_own_suite_keeps_its_names() -> None:
    assert of_suite(REPORT, INTRINSIC) is REPORT


def test_a_branchs_signals_are_named_after_their_suite_and_only_shown() -> None:
    (probe, *_) = REPORT.probes
    first = REPORT.probes[probe].signals[0].model_copy(update={"name": "niah_ppl/2"})
    changed = REPORT.probes[probe].model_copy(update={"signals": (first,)})
    found = of_suite(REPORT.model_copy(update={"probes": {probe: changed}}), ANNEAL)
    (signal,) = found.signals()
    assert (found.suite, found.tokens) == (ANNEAL, REPORT.tokens)
    assert (signal.name, signal.role) == ("anneal/niah_ppl.2", Role.SHOWN)
    assert (signal.value, signal.n) == (first.value, first.n)
