"""The embedded edge: processes of this machine in place of Jobs."""

from lccp_operator.embedded.engine import EmbeddedEngine, run
from lccp_operator.embedded.look import Look, OnLook, Outcome
from lccp_operator.embedded.processes import Programs

__all__ = ["EmbeddedEngine", "Look", "OnLook", "Outcome", "Programs", "run"]
