"""Evaluations, as a manifest asks for them."""

from lccp.api.spec.evaluation import EvaluationSpec


def test_every_checkpoint_is_evaluated_by_the_probes_and_first_the_baseline() -> None:
    spec = EvaluationSpec()

    assert spec.suites == ("intrinsic",)
    assert spec.baseline
    assert spec.concurrency == 1
