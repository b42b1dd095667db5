"""The status: its summaries."""

import pytest

from lccp.api.status import LCCPRunStatus, ProgressStatus
from lccp.contract.errors import InvalidInput


@pytest.mark.parametrize(("tokens", "short"), [(0, "0"), (1_600_000, "1.6M"), (10**11, "100B")])
def test_progress_is_shown_in_short(tokens: int, short: str) -> None:
    assert ProgressStatus(tokens=tokens).display == short


def test_a_run_that_nobody_looked_at_is_pending() -> None:
    assert LCCPRunStatus().document()["summary"] == "Pending"


def test_a_share_beyond_100_percent_is_refused() -> None:
    with pytest.raises(InvalidInput, match="s: percent: input should be less than or equal to 100"):
        ProgressStatus.parse({"percent": 101}, "s")
