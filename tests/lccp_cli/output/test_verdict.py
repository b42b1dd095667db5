import json

import a_run
import pytest

from lccp.analysis.correlation import correlations
from lccp.api.objects.verdict import Exclusion, Gate, GateAnswer, Verdict
from lccp_cli.output.verdict import show, show_correlations

SENTENCE = "recovery lower bound >= 0.8"


@pytest.fixture(scope="module")
def verdict() -> Verdict:
    return a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:5]))


def test_a_verdict_is_its_checkpoints_evidence_and_advice(
    verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    show(verdict)

    printed = " ".join(capsys.readouterr().out.split())
    assert all(sentence in printed for sentence in verdict.evidence)
    assert verdict.advice in printed
    assert "Gate" not in printed


def test_what_was_left_out_and_the_gate_are_named(
    verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    why = Exclusion(tokens=5, suite="probes", reason="another tokenizer")
    answers = (GateAnswer(sentence=SENTENCE, answer="No", evidence="0.71 to 0.78"),)
    gate = Gate(answer="No", sentences=answers)

    show(verdict.model_copy(update={"excluded": (why,), "gate": gate}))

    printed = capsys.readouterr().out
    assert "Left out: another tokenizer" in printed
    assert "Gate: No" in printed
    assert f"No         {SENTENCE}  (0.71 to 0.78)" in printed


def test_correlations_are_a_table_or_a_document(
    verdict: Verdict, capsys: pytest.CaptureFixture[str]
) -> None:
    found = correlations(verdict)

    show_correlations(found, json=False)
    table = capsys.readouterr().out
    show_correlations(found, json=True)

    assert all(note.split()[0] in table for note in found.notes)
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(found.document()))
