"""Reports as kept between two reconciles: compressed, since only a new verdict reads them."""

import threading
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from lccp.analysis.verdict import judge
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.verdict import Verdict

LEVEL = 1
"""Of compression: the quickest."""

_UNPACKING = threading.Lock()


@dataclass(frozen=True)
class PackedReport:
    """A report in a small part of the memory that it takes as an object."""

    tokens: int
    checkpoint_digest: str
    packed: bytes

    @classmethod
    def from_json(cls, data: bytes, where: str) -> Self:
        """The report in `data`. Raises Incompatible, InvalidInput."""
        report = EvaluationReport.from_json(data, where)
        return cls(report.tokens, report.checkpoint_digest, zlib.compress(data, LEVEL))

    def unpack(self) -> EvaluationReport:
        return EvaluationReport.from_json(zlib.decompress(self.packed), f"{self.tokens}")


def judge_packed(reports: Sequence[PackedReport], policy: Policy) -> Verdict:
    """The verdict over all reports. Raises InvalidInput as the analysis does.

    One thread at a time: no two runs' reports are unpacked at once, and Python would not be faster.
    """
    with _UNPACKING:
        return judge([report.unpack() for report in reports], policy)
