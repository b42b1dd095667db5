"""This machine's part of the gang, and torchrun's arguments for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from lccp.api.spec.topology import TopologySpec
from lccp.contract.errors import InvalidInput

RENDEZVOUS = "LCCP_RENDEZVOUS"
NODE = "JOB_COMPLETION_INDEX"
MEETING_SECONDS = 600
"""How long a node waits for the others of its gang; torchrun's own default."""
MEETING_AFTER_FETCH_SECONDS = 3_600
"""The same after model or documents were fetched, which takes nodes different times."""
EXIT_MARGIN_SECONDS = 10
"""Part of the grace period that is reserved for the launcher itself."""


@dataclass(frozen=True)
class Node:
    """This machine's part of the gang."""

    processes: int
    number: int = 0
    nodes: int = 1
    rendezvous: str | None = None
    """`host:port` of node 0; None: this machine runs the whole gang."""

    @classmethod
    def of(cls, topology: TopologySpec, environ: Mapping[str, str]) -> "Node":
        """In a cluster, one pod is one node; without a rendezvous all processes run here."""
        rendezvous = environ.get(RENDEZVOUS)
        if rendezvous is None:
            return cls(processes=topology.nodes * topology.processes_per_node)
        number = cls.number_of(environ)
        if number >= topology.nodes or ":" not in rendezvous:
            raise InvalidInput(
                f"environment: {RENDEZVOUS} must be host:port, and {NODE} below topology.nodes "
                f"({topology.nodes}), not {rendezvous!r} and {number}"
            )
        return cls(topology.processes_per_node, number, topology.nodes, rendezvous)

    @staticmethod
    def number_of(environ: Mapping[str, str]) -> int:
        """This node's number in the gang."""
        number = environ.get(NODE, "0")
        if not number.isdecimal():
            raise InvalidInput(f"environment: {NODE} must be a number, not {number!r}")
        return int(number)

    def torchrun_arguments(
        self, grace_seconds: int, meeting_seconds: int = MEETING_SECONDS
    ) -> list[str]:
        common = ["--nproc-per-node", str(self.processes), "--max-restarts", "0"]
        common += ["--shutdown-timeout", str(max(1, grace_seconds - EXIT_MARGIN_SECONDS))]
        if self.rendezvous is None:
            return [*common, "--standalone", "--local-addr", "127.0.0.1"]
        host, _, port = self.rendezvous.rpartition(":")
        place = ["--nnodes", str(self.nodes), "--node-rank", str(self.number)]
        place += ["--rdzv-conf", f"timeout={meeting_seconds}"]
        return [*common, *place, "--master-addr", host, "--master-port", port]
