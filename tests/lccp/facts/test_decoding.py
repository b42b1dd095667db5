"""Bytes are decoded to the object that their key names, or to a sentence that says why not."""

import a_run
import pytest
from operator_world import manifest_of, report_of

from lccp.api.labels import INTRINSIC
from lccp.api.objects.journal import Journal
from lccp.contract.errors import InvalidInput
from lccp.facts import decoding
from lccp.facts.facts import EvaluationKey


def test_of_an_object_what_is_taken_is_kept() -> None:
    read = decoding.whole(Journal, lambda journal: len(journal.attempts))
    assert read(Journal().to_json(), "journal.json") == 0


def test_bytes_that_are_no_object_are_told_with_their_key() -> None:
    with pytest.raises(InvalidInput, match=r"journal\.json: is not JSON"):
        decoding.whole(Journal)(b"{", "journal.json")


@pytest.mark.parametrize("of", [(4_096, INTRINSIC), (8_192, "other")])
def test_a_report_of_another_evaluation_is_refused(of: EvaluationKey) -> None:
    data = report_of(manifest_of(8_192)).to_json()
    with pytest.raises(InvalidInput, match="another evaluation \\(8,192 tokens, suite intrinsic"):
        decoding.report(of, lambda report: report)(data, "report.json")
    right = decoding.report((8_192, INTRINSIC), lambda report: report.tokens)
    assert right(data, "report.json") == 8_192


def test_a_checkpoint_has_the_loss_of_its_manifest_and_its_own_tokens() -> None:
    manifest = manifest_of(8_192)
    found = decoding.checkpoint(8_192)(manifest.to_json(), "manifest.json")
    assert (found.tokens, found.digest, found.held_out) == (8_192, manifest.digest, None)
    measured = manifest.model_copy(update={"held_out": a_run.held_out(8_192)})
    told = decoding.checkpoint(8_192)(measured.to_json(), "manifest.json").held_out
    assert told == a_run.held_out(8_192)
    with pytest.raises(InvalidInput, match="is the manifest of 8,192 tokens"):
        decoding.checkpoint(4_096)(manifest.to_json(), "manifest.json")
