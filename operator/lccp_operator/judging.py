"""A judge that is not asked the same twice: one for every run."""

from collections.abc import Sequence

from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Verdict
from lccp_operator.packed import PackedReport, judge_packed


class RememberingJudge:
    """The analysis, answering from memory while reports (the same objects) and policy stay."""

    def __init__(self) -> None:
        self._asked: tuple[tuple[PackedReport, ...], Policy] | None = None
        self._verdict: Verdict | None = None

    def __call__(self, reports: Sequence[PackedReport], policy: Policy) -> Verdict:
        if self._verdict is None or not self._is_known(reports, policy):
            self._verdict = judge_packed(reports, policy)
            self._asked = (tuple(reports), policy)
        return self._verdict

    def _is_known(self, reports: Sequence[PackedReport], policy: Policy) -> bool:
        if self._asked is None or self._asked[1] != policy:
            return False
        before = self._asked[0]
        same = (a is b for a, b in zip(before, reports, strict=False))
        return len(before) == len(reports) and all(same)
