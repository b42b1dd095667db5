"""The probes: one module each, of one shape.

A probe has a NAME, that of its settings and of its result; a VERSION, which rises when its numbers
change their meaning; and two pure functions of the records: `measure`, its result in the report,
and `arrays`, its values by sample for the file beside it. A further probe is added to `PROBES`.
"""

from typing import Any, Protocol

from numpy.typing import NDArray

from lccp.api.spec.evaluation import ProbesSpec
from lccp.contract.base import Contract
from lccp_evaluator.probes import niah, retrieval_heads
from lccp_evaluator.records import Records


class Probe(Protocol):
    """The shape of a probe's module."""

    NAME: str
    VERSION: int

    def measure(self, records: Records, probes: ProbesSpec, source_context: int) -> Contract: ...

    def arrays(self, records: Records, probes: ProbesSpec) -> dict[str, NDArray[Any]]: ...


PROBES: dict[str, Probe] = {niah.NAME: niah, retrieval_heads.NAME: retrieval_heads}


def asked_for(probes: ProbesSpec) -> list[Probe]:
    """The probes that are to be run, in the order of `PROBES`."""
    return [probe for name, probe in PROBES.items() if getattr(probes, name) is not None]
