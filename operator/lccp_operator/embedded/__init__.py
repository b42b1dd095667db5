"""The embedded backend: processes of this machine instead of Jobs."""

from lccp_operator.embedded.engine import EmbeddedEngine, run
from lccp_operator.embedded.processes import Programs
from lccp_operator.embedded.snapshot import OnSnapshot, Outcome, RunSnapshot

__all__ = ["EmbeddedEngine", "OnSnapshot", "Outcome", "Programs", "RunSnapshot", "run"]
