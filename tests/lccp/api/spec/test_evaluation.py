"""Evaluations, as a manifest requests them."""

import pytest

from lccp.api.spec.evaluation import EvaluationSpec, ExternalSuite
from lccp.contract.errors import InvalidInput

SUITE = {"name": "lm-eval", "command": ["lm-eval"]}


def test_every_checkpoint_is_evaluated_by_the_probes_and_first_the_baseline() -> None:
    spec = EvaluationSpec()

    assert spec.suites_of(0) == spec.suites_of(1) == ("intrinsic",)
    assert spec.baseline
    assert spec.concurrency == 1


def test_an_external_suite_evaluates_the_first_of_so_many_checkpoints() -> None:
    suites = [SUITE | {"everyCheckpoints": 3}, {"name": "mine", "command": ["./mine"]}]
    spec = EvaluationSpec.parse({"suites": suites}, "spec")

    assert spec.suites_of(0) == spec.suites_of(3) == ("intrinsic", "lm-eval", "mine")
    assert spec.suites_of(1) == spec.suites_of(2) == ("intrinsic", "mine")


def test_signals_of_a_suite_begin_with_its_name_as_signals_are_written() -> None:
    assert ExternalSuite.parse(SUITE, "suite").prefix == "lm_eval/"


def test_a_suite_is_found_by_its_name_and_that_of_the_probes_is_none() -> None:
    spec = EvaluationSpec.parse({"suites": [SUITE]}, "spec")

    assert spec.suite("lm-eval") == spec.suites[0]
    assert spec.suite("intrinsic") is None


@pytest.mark.parametrize(
    ("suites", "told"),
    [
        ([SUITE, SUITE], "two suites of evaluation.suites have the same name"),
        ([SUITE | {"name": "intrinsic"}], "must not be named intrinsic"),
        ([SUITE | {"name": "Lm"}], "suites\\[0\\].name"),
        ([SUITE | {"command": []}], "suites\\[0\\].command"),
        ([SUITE | {"signals": ["a/b"]}], "suites\\[0\\].signals\\[0\\]"),
    ],
    ids=["twice", "reserved", "name", "command", "signal"],
)
def test_a_suite_that_cannot_be_told_apart_or_run_is_refused(suites: object, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        EvaluationSpec.parse({"suites": suites}, "spec")
