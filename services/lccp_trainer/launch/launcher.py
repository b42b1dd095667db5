"""`lccp-train`: a container's first process. It checks, starts torchrun, reports how that ended.

Only it decides the exit code: torchrun exits with 1 on every failure, so ranks leave typed causes.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from lccp import lifeline
from lccp.api.causes import Cause, cause_of, exit_code_of
from lccp.api.exits import ExitCode
from lccp.api.invocation import Invocation
from lccp.api.objects.training import End, Heartbeat
from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.api.spec.topology import TopologySpec
from lccp.contract.errors import InvalidInput, LccpError, StoreRefused, StoreUnavailable
from lccp.facts.ledgers import closed
from lccp.inputs.cache import cache_directory
from lccp.logs import configure_from, leave_termination_message
from lccp.store.assignment import attempt_spec, fine_tuning_specs
from lccp.store.keys import BranchKeys, FineTuningKeys, RunKeys, writer_name
from lccp.store.objects import read_or_none, write
from lccp.store.open import open_store, probe
from lccp.store.port import Store
from lccp_trainer import ends
from lccp_trainer.data.sharding import writing
from lccp_trainer.launch.fetching import Fetching
from lccp_trainer.launch.node import MEETING_AFTER_FETCH_SECONDS, MEETING_SECONDS, Node
from lccp_trainer.launch.scratch import scratch_folder
from lccp_trainer.launch.torchrun import DEATHS_FILE
from lccp_trainer.launch.validation import check_fine_tuning, check_spec
from lccp_trainer.objectives.anneal import branch_run
from lccp_trainer.worker import SCRATCH, SFT_FILE, SPEC_FILE, STARTED, keys_of

logger = logging.getLogger("lccp_trainer.launch.launcher")

POD_UID = "LCCP_POD_UID"
HUB = "HF_ENDPOINT"
REAP_SECONDS = 15.0


class Launcher:
    """One attempt of a run on this node."""

    def __init__(self, invocation: Invocation, store: Store, number: int) -> None:
        self._invocation = invocation
        self._store = store
        self._number = number
        """This node's number in the gang."""
        self._keys = keys_of(invocation)
        self._gang: subprocess.Popen[bytes] | None = None
        self._terminated = False
        self._meeting_seconds = MEETING_SECONDS
        self._started = time.time()

    def train(self, environ: Mapping[str, str]) -> ExitCode:
        """Run the attempt to its end; the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._terminate)
        try:
            spec, sft = self._checked(environ)
            node = Node.of(spec.topology, environ)
            made = ends.made_before(self._store, self._keys)
            end = made or self._supervised(spec, sft, node, environ)
        except LccpError as error:
            return self._record(ends.end_of(error))
        return self._record(end)

    def _checked(self, environ: Mapping[str, str]) -> tuple[LCCPRunSpec, SFTSpec | None]:
        """The checked specs, with folders of this node as places.

        Raises for every error that can be found before the start.
        """
        store, keys, attempt = self._store, self._keys, self._invocation.attempt
        base, sft = Path(self._invocation.base_directory).absolute(), None
        if not isinstance(keys, FineTuningKeys):
            spec = attempt_spec(store, keys, attempt)
            if isinstance(keys, BranchKeys):
                spec = branch_run(spec, keys.trunk_tokens)
            first, hub = self._number == 0, environ.get(HUB)
            fetching = Fetching(
                store, self._invocation, first, self._was_terminated, self._started, hub
            )
            given, spec = spec, self._fetched(fetching, spec, environ)
            if spec is not given:
                self._meeting_seconds = MEETING_AFTER_FETCH_SECONDS
            check_spec(spec, base)
        else:
            spec, sft = fine_tuning_specs(store, keys, attempt)
            check_fine_tuning(store, keys, spec, sft, base)
        probe(store, keys.prefix)
        return spec, sft

    def _fetched(
        self, fetching: Fetching, spec: LCCPRunSpec, environ: Mapping[str, str]
    ) -> LCCPRunSpec:
        """As `Fetching.fetched`. A bucket or hub that never answered this run may be misnamed."""
        run = RunKeys(self._invocation.namespace, self._invocation.name)
        try:
            return fetching.fetched(spec, cache_directory(environ))
        except (StoreRefused, StoreUnavailable) as error:
            if self._invocation.attempt > 1 or self._store.stat(run.inputs) is not None:
                raise
            raise InvalidInput(str(error)) from None

    def _supervised(
        self, spec: LCCPRunSpec, sft: SFTSpec | None, node: Node, environ: Mapping[str, str]
    ) -> End:
        """Run torchrun to its end, and leave no process behind."""
        lifeline.adopt_orphans()
        with scratch_folder() as scratch:
            with writing(scratch):
                (scratch / SPEC_FILE).write_text(json.dumps(spec.document()))
                if sft is not None:
                    (scratch / SFT_FILE).write_text(json.dumps(sft.document()))
            self._start(scratch, spec.topology, node, environ)
            assert self._gang is not None
            self._gang.wait()
            lifeline.kill_group(self._gang.pid)
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

    def _start(
        self, scratch: Path, topology: TopologySpec, node: Node, environ: Mapping[str, str]
    ) -> None:
        grace = topology.termination_grace_period_seconds
        command = [sys.executable, "-m", "lccp_trainer.launch.torchrun"]
        command += node.torchrun_arguments(grace, self._meeting_seconds)
        command += ["-m", "lccp_trainer.launch.rank"]
        own = self._gang_environ(scratch, topology, node)
        defaults = {
            "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // node.processes)),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "LOGLEVEL": "CRITICAL",
        }
        self._gang = subprocess.Popen(command, env={**defaults, **environ, **own}, process_group=0)
        if self._terminated:
            self._gang.terminate()

    def _gang_environ(self, scratch: Path, topology: TopologySpec, node: Node) -> dict[str, str]:
        own = {
            POD_UID: self._invocation.pod_uid,
            SCRATCH: str(scratch),
            "TMPDIR": str(scratch),
            STARTED: str(self._started),
            lifeline.PARENT_PID: str(os.getpid()),
        }
        if topology.accelerator_resource_name is None:
            own["DS_ACCELERATOR"] = "cpu"
        if node.rendezvous is None and sys.platform == "linux":
            own["GLOO_SOCKET_IFNAME"] = "lo"
        return own

    def _was_terminated(self) -> bool:
        return self._terminated

    def _terminate(self, number: int, frame: FrameType | None) -> None:
        if not self._terminated and self._gang is not None:
            self._gang.terminate()
        self._terminated = True

    def _record(self, end: End) -> ExitCode:
        """Write `end.json`; without it nobody could tell how an attempt succeeded."""
        if self._number != 0:
            return self._say(end)
        writer = writer_name(self._invocation.attempt, self._invocation.pod_uid)
        beat, key = self._keys.heartbeat(writer), self._keys.end(writer)
        try:
            seconds = time.time() - self._started
            last = read_or_none(self._store, beat, Heartbeat)
            write(self._store, key, _complete(end, last, seconds))
        except LccpError as error:
            logger.error("%s", error)
            if end.result in (Cause.COMPLETED, Cause.DRAINED):
                refused = isinstance(error, StoreRefused)
                return ExitCode.STORE_REFUSED if refused else ExitCode.STORE_UNREACHABLE
        return self._say(end)

    def _say(self, end: End) -> ExitCode:
        code = exit_code_of(end.result)
        level = logger.info if code is ExitCode.OK else logger.error
        level("%s: %s", end.result, end.message)
        if code is not ExitCode.OK:
            leave_termination_message(end.message)
        return code


def _complete(end: End, beat: Heartbeat | None, seconds: float) -> End:
    """`end` with its ledger, and with its progress if the rank that ended couldn't report that."""
    known: dict[str, object] = {"ledger": closed(beat, end.result, seconds)}
    if beat and not end.tokens and end.result is not Cause.CONFIGURATION:
        known |= {"tokens": beat.tokens, "step": beat.step}
    return end.model_copy(update=known)


def launch(environ: Mapping[str, str]) -> ExitCode:
    """Run the attempt that `environ` describes; the exit code."""
    try:
        configure_from(environ)
        invocation = Invocation.from_environ(environ)
        if not invocation.pod_uid:
            invocation = invocation.model_copy(update={"pod_uid": uuid.uuid4().hex})
        writer_name(invocation.attempt, invocation.pod_uid)
        number = Node.number_of(environ)
        configure_from(environ, run=invocation.run, attempt=invocation.attempt, node=number)
        store = open_store(invocation.store, Path(invocation.base_directory).absolute())
    except InvalidInput as error:
        logger.error("%s", error)
        leave_termination_message(str(error))
        return exit_code_of(cause_of(error))
    return Launcher(invocation, store, number).train(environ)


def main() -> None:
    sys.exit(launch(os.environ))
