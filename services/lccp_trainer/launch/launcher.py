"""`lccp-train`: the container's first process. It checks, starts torchrun, and says how it ended.

It alone decides the exit code: torchrun answers 1 to everything, so ranks leave typed causes.
"""

import logging
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from lccp.api.causes import MEANINGS, Cause
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.objects.training import End, Heartbeat
from lccp.api.spec.topology import TopologySpec
from lccp.contract.errors import InvalidInput, LccpError, StoreUnavailable
from lccp.logs import configure_from
from lccp.store.keys import RunKeys, writer_name
from lccp.store.objects import read_or_none, write
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_trainer import ends
from lccp_trainer.launch import lifeline
from lccp_trainer.launch.torchrun import DEATHS_FILE
from lccp_trainer.launch.validation import check_spec, check_store
from lccp_trainer.worker import SCRATCH

logger = logging.getLogger("lccp_trainer.launch.launcher")

RENDEZVOUS = "LCCP_RENDEZVOUS"
NODE = "JOB_COMPLETION_INDEX"
POD_UID = "LCCP_POD_UID"
EXIT_MARGIN_SECONDS = 10
"""Part of the grace period that is left for the launcher itself."""
REAP_SECONDS = 15.0


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
        """In a cluster one pod is one node; without a rendezvous all processes run here."""
        rendezvous = environ.get(RENDEZVOUS)
        if rendezvous is None:
            return cls(processes=topology.nodes * topology.processes_per_node)
        number = environ.get(NODE, "0")
        if not number.isdecimal() or int(number) >= topology.nodes or ":" not in rendezvous:
            raise InvalidInput(
                f"environment: {RENDEZVOUS} must be host:port, and {NODE} below topology.nodes "
                f"({topology.nodes}), not {rendezvous!r} and {number!r}"
            )
        return cls(topology.processes_per_node, int(number), topology.nodes, rendezvous)

    def torchrun_arguments(self, grace_seconds: int) -> list[str]:
        common = ["--nproc-per-node", str(self.processes), "--max-restarts", "0"]
        common += ["--shutdown-timeout", str(max(1, grace_seconds - EXIT_MARGIN_SECONDS))]
        if self.rendezvous is None:
            return [*common, "--standalone", "--local-addr", "127.0.0.1"]
        host, _, port = self.rendezvous.rpartition(":")
        place = ["--nnodes", str(self.nodes), "--node-rank", str(self.number)]
        return [*common, *place, "--master-addr", host, "--master-port", port]


class Launcher:
    """One attempt of a run on this node."""

    def __init__(self, invocation: Invocation, node: Node) -> None:
        self._invocation = invocation
        self._node = node
        self._run = invocation.run
        self._gang: subprocess.Popen[bytes] | None = None
        self._terminated = False

    def train(self, environ: Mapping[str, str]) -> ExitCode:
        """Run the attempt to its end; the code to exit with."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._terminate)
        base = Path(self._invocation.base_directory).absolute()
        try:
            store = open_store(self._invocation.store, base)
        except InvalidInput as error:
            return self._say(ends.end_of(error))
        end = self._checked(store, base) or self._supervised(environ)
        return self._record(store, end)

    def _checked(self, store: Store, base: Path) -> End | None:
        """The end, if there is anything wrong that can be known before the start."""
        try:
            check_spec(self._run.spec, base)
            check_store(store, self._run)
        except StoreUnavailable as error:
            first = self._invocation.attempt == 1
            cause = Cause.CONFIGURATION if first else Cause.STORE_UNREACHABLE
            return End(result=cause, message=str(error), at=datetime.now(UTC))
        except LccpError as error:
            return ends.end_of(error)
        return None

    def _supervised(self, environ: Mapping[str, str]) -> End:
        """Run torchrun to its end, and leave no process behind."""
        lifeline.adopt_orphans()
        with tempfile.TemporaryDirectory(prefix="lccp-train-") as folder:
            scratch = Path(folder)
            self._start(scratch, environ)
            assert self._gang is not None
            self._gang.wait()
            _kill_group(self._gang.pid)
            if not lifeline.reap(REAP_SECONDS):
                logger.warning("some processes of the gang did not end within %.0f s", REAP_SECONDS)
            for stacks in sorted(scratch.glob("stacks-*.txt")):
                logger.error("%s:\n%s", stacks.stem, stacks.read_text())
            return ends.decide(
                ends.read_ends(scratch),
                ends.read_deaths(scratch / DEATHS_FILE),
                ends.count_started(scratch),
                self._terminated,
            )

    def _start(self, scratch: Path, environ: Mapping[str, str]) -> None:
        grace = self._run.spec.topology.termination_grace_period_seconds
        command = [sys.executable, "-m", "lccp_trainer.launch.torchrun"]
        command += self._node.torchrun_arguments(grace)
        command += ["-m", "lccp_trainer.launch.rank"]
        self._gang = subprocess.Popen(
            command, env=self._gang_environ(scratch, environ), process_group=0
        )
        if self._terminated:
            self._gang.terminate()

    def _gang_environ(self, scratch: Path, environ: Mapping[str, str]) -> dict[str, str]:
        threads = max(1, (os.cpu_count() or 1) // self._node.processes)
        defaults = {
            "OMP_NUM_THREADS": str(threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "LOGLEVEL": "CRITICAL",
        }
        own = {
            POD_UID: self._invocation.pod_uid,
            SCRATCH: str(scratch),
            lifeline.PARENT_PID: str(os.getpid()),
        }
        if self._run.spec.topology.accelerator_resource_name is None:
            own["DS_ACCELERATOR"] = "cpu"
        if self._node.rendezvous is None and sys.platform == "linux":
            own["GLOO_SOCKET_IFNAME"] = "lo"
        return {**defaults, **environ, **own}

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        if not self._terminated and self._gang is not None:
            self._gang.terminate()
        self._terminated = True

    def _record(self, store: Store, end: End) -> ExitCode:
        """Write `end.json`; without it nobody could tell how an attempt ended well."""
        if self._node.number != 0:
            return self._say(end)
        keys = RunKeys(self._run.metadata.namespace, self._run.metadata.name)
        writer = writer_name(self._invocation.attempt, self._invocation.pod_uid)
        try:
            write(store, keys.end(writer), _with_progress(end, store, keys.heartbeat(writer)))
        except LccpError as error:
            logger.error("%s", error)
            if end.result in (Cause.COMPLETED, Cause.DRAINED):
                return ExitCode.STORE_UNREACHABLE
        return self._say(end)

    def _say(self, end: End) -> ExitCode:
        code = MEANINGS[end.result].exit_code or ExitCode.INTERNAL
        level = logger.info if code is ExitCode.OK else logger.error
        level("%s: %s", end.result, end.message)
        return code


def _with_progress(end: End, store: Store, heartbeat_key: str) -> End:
    """`end`, with how far the last heartbeat was if the rank that ended couldn't say."""
    if end.tokens or end.result is Cause.CONFIGURATION:
        return end
    beat = read_or_none(store, heartbeat_key, Heartbeat)
    return end.model_copy(update={"tokens": beat.tokens, "step": beat.step}) if beat else end


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def launch(environ: Mapping[str, str]) -> ExitCode:
    """Run the attempt that `environ` describes; the code to exit with."""
    try:
        configure_from(environ)
        invocation = Invocation.from_environ(environ)
        node = Node.of(invocation.run.spec.topology, environ)
        if not invocation.pod_uid:
            invocation = invocation.model_copy(update={"pod_uid": uuid.uuid4().hex})
        writer_name(invocation.attempt, invocation.pod_uid)
        run = f"{invocation.run.metadata.namespace}/{invocation.run.metadata.name}"
        configure_from(environ, run=run, attempt=invocation.attempt, node=node.number)
    except InvalidInput as error:
        logger.error("%s", error)
        return ExitCode.CONFIGURATION
    return Launcher(invocation, node).train(environ)


def main() -> None:
    sys.exit(launch(os.environ))


if __name__ == "__main__":
    main()
