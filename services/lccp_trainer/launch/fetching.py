"""Fetches model and documents from buckets and hubs, before ranks exist that write heartbeats."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from lccp.api.invocation import Invocation
from lccp.api.objects.inputs import Fetched
from lccp.api.objects.training import Heartbeat, Ledger
from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import LccpError
from lccp.inputs.fetch import fetched, pinned, read_in_place, remotes
from lccp.store.keys import RunKeys, writer_name
from lccp.store.port import Store
from lccp_trainer.ends import Stopped
from lccp_trainer.worker import keys_of

logger = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
TOLD_SECONDS = 30.0


class Fetching:
    """Fetches to this node, and reports progress: in the log and, on the first node, in the
    heartbeat.

    Args:
        started: when the launcher began, by `time.time`: time since then is reported as starting.
    """

    def __init__(
        self,
        store: Store,
        invocation: Invocation,
        is_first: bool,
        is_terminated: Callable[[], bool],
        started: float,
        hub: str | None = None,
    ) -> None:
        self._store, self._invocation = store, invocation
        self._started, self._hub = started, hub
        self._is_first, self._is_terminated = is_first, is_terminated
        self._keys = RunKeys(invocation.namespace, invocation.name)
        self._told_below = keys_of(invocation)
        self._writer = writer_name(invocation.attempt, invocation.pod_uid)
        self._beat_at = self._told_at = float("-inf")

    def fetched(self, spec: LCCPRunSpec, directory: Path) -> LCCPRunSpec:
        """`spec` with folders below `directory` instead of places that are not paths.

        Raises:
            InvalidInput: something does not exist, is refused, or does not fit on the disk.
            StoreUnavailable: a bucket or a hub does not answer.
            Stopped: this process was requested to end.
        """
        given = remotes(spec, self._invocation.store, self._hub)
        if not given:
            return spec

        def progress(here: int, total: int) -> None:
            if self._is_terminated():
                raise Stopped(
                    "received SIGTERM while model and documents were fetched: what was fetched is "
                    "kept"
                )
            self._tell(Fetched(size=here, total=total), spec.trained.tokens)

        inputs = pinned(self._store, self._keys, given)
        return fetched(spec, given, inputs, directory, progress, read_in_place(spec))

    def _tell(self, so_far: Fetched, tokens_total: int) -> None:
        now = time.monotonic()
        if now - self._told_at >= TOLD_SECONDS or so_far.size == so_far.total:
            self._told_at = now
            logger.info("fetched %.1f of %.1f MB", so_far.size / 1e6, so_far.total / 1e6)
        if self._is_first and now - self._beat_at >= BEAT_SECONDS:
            self._beat_at = now
            self._beat(so_far, tokens_total)

    def _beat(self, so_far: Fetched, tokens_total: int) -> None:
        beat = Heartbeat(
            attempt=self._invocation.attempt,
            writer=self._writer,
            at=datetime.now(UTC),
            phase="Starting",
            fetched=so_far,
            tokens_total=tokens_total,
            ledger=Ledger(starting=max(0.0, time.time() - self._started)),
        )
        try:
            self._store.put(self._told_below.heartbeat(self._writer), beat.to_json())
        except LccpError as error:
            logger.warning("heartbeat: %s", error)
