"""Breaks and repairs a cluster on this machine, by its program, `CLUSTER_TOOL`."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from operator_process import wait_for

from lccp_operator.kubernetes.api import Cluster, Kind

NODES = Kind("v1", "nodes")
TOOL_SECONDS, NODE_SECONDS = 150.0, 90.0


@dataclass(frozen=True)
class Breaker:
    """The program `tool`, and the cluster that it started."""

    tool: Path
    api: Cluster

    @contextmanager
    def without_node(self, node: str) -> Iterator[None]:
        """The node is powered off until the block ends."""
        with self._between("node-kill", "node-start", node):
            yield
        self._wait_ready(node)

    @contextmanager
    def cut_off(self, node: str) -> Iterator[None]:
        """Node and API server don't reach each other until the block ends; its pods run on."""
        with self._between("node-cut", "node-join", node):
            yield
        self._wait_ready(node)

    @contextmanager
    def without_api(self) -> Iterator[None]:
        """There is no API server until the block ends."""
        with self._between("api-kill", "api-start"):
            yield

    @contextmanager
    def _between(self, break_: str, mend: str, *node: str) -> Iterator[None]:
        self._run(break_, *node)
        try:
            yield
        finally:
            self._run(mend, *node)

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            (str(self.tool), *arguments), capture_output=True, text=True, timeout=TOOL_SECONDS
        )
        assert done.returncode == 0, f"{self.tool.name} {' '.join(arguments)}: {done.stderr}"

    def _wait_ready(self, node: str) -> None:
        wait_for(lambda: self._is_ready(node), f"{node} is not back", seconds=NODE_SECONDS)

    def _is_ready(self, node: str) -> bool:
        found = self.api.get(NODES, None, node)
        taints = (taint["key"] for taint in found["spec"].get("taints", ()))
        ready = {c["type"]: c["status"] for c in found["status"]["conditions"]}["Ready"]
        return ready == "True" and not any(key.startswith("node.kubernetes.io/") for key in taints)
