"""Reports as they are kept: small, and judged as what they were."""

import pytest
from operator_world import EVERY_TOKENS, manifest_of, report_of

from lccp.analysis.verdict import judge
from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp_operator.packed import PackedReport, judge_packed

REPORTS = [report_of(manifest_of(number * EVERY_TOKENS)) for number in (1, 2, 3)]
PACKED = [PackedReport.from_json(report.to_json(), "report") for report in REPORTS]


def test_a_report_comes_back_as_it_was() -> None:
    assert [packed.unpack() for packed in PACKED] == REPORTS


def test_what_is_asked_at_every_reconcile_is_known_without_unpacking() -> None:
    assert [packed.tokens for packed in PACKED] == [report.tokens for report in REPORTS]
    digests = [report.checkpoint_digest for report in REPORTS]
    assert [packed.checkpoint_digest for packed in PACKED] == digests


def test_a_packed_report_is_a_small_part_of_its_json() -> None:
    assert all(
        len(packed.packed) < len(report.to_json()) / 4
        for packed, report in zip(PACKED, REPORTS, strict=True)
    )


def test_packed_reports_are_judged_as_reports_are() -> None:
    policy = Policy(horizon_tokens=EVERY_TOKENS, min_gain=0.03)
    assert judge_packed(PACKED, policy) == judge(REPORTS, policy)


def test_a_damaged_report_is_refused_when_it_is_read() -> None:
    with pytest.raises(InvalidInput, match="report: is not JSON"):
        PackedReport.from_json(REPORTS[0].to_json()[:-20], "report")
