"""One process of the gang, started by torchrun: puts the parts together and trains."""

import logging
import os
import sys
import warnings
from datetime import UTC, datetime
from pathlib import Path

from lccp.api.causes import Cause
from lccp.api.objects.training import End, Heartbeat
from lccp.contract.errors import LccpError
from lccp.lifeline import die_with_parent
from lccp.logs import configure_from
from lccp.store.assignment import unknown_fields
from lccp.store.keys import writer_name
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_trainer import ends
from lccp_trainer.control import Requests
from lccp_trainer.goodput import WallClock
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.watchdog import Watchdog
from lccp_trainer.worker import SCRATCH, Worker, keys_of

logger = logging.getLogger("lccp_trainer.launch.rank")


def main() -> None:
    die_with_parent()
    requests = Requests()
    requests.listen()
    scratch, rank = Path(os.environ[SCRATCH]), int(os.environ["RANK"])
    ends.mark_started(scratch, rank)
    code = 0
    try:
        end = attempt(Worker.of(os.environ), requests)
    except BaseException as error:
        if not isinstance(error, LccpError):
            logger.exception("the rank failed")
        end, code = ends.end_of(error, rank), 1
    ends.write_end(scratch, rank, end)
    sys.stdout.flush()
    sys.stderr.flush()
    # Interpreter shutdown with live gloo threads aborts now and then, after all work is done.
    os._exit(code)


def attempt(worker: Worker, requests: Requests) -> End:
    """Train as this rank; how it ended. Rank 0 begins to report before the slow imports."""
    attempt_number = worker.invocation.attempt
    configure_from(os.environ, run=worker.invocation.run, attempt=attempt_number, rank=worker.rank)
    worker.own_scratch.mkdir()
    store = open_store(worker.invocation.store, worker.base)
    # Once the store has answered, its absence is an outage.
    store.stat(worker.keys.control(attempt_number))
    watchdog, clock = _watchdog(worker), WallClock(worker.started)
    reporter = _reporter(worker, store, clock) if worker.rank == 0 else None
    try:
        if reporter:
            requests.save_every(worker.spec.checkpoints.state_every_seconds)
            requests.poll(store, worker.keys.control(worker.invocation.attempt))
        from lccp_trainer.assembly import Connections, train

        _quiet_libraries()
        return train(worker, Connections(store, requests, watchdog, clock, reporter))
    finally:
        if reporter:
            reporter.finish()


def _quiet_libraries() -> None:
    """Keep messages of DeepSpeed and transformers below an error out of the log."""
    from transformers.utils.logging import disable_progress_bar

    for name in ("DeepSpeed", "transformers"):
        logging.getLogger(name).setLevel(logging.ERROR)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    warnings.filterwarnings("ignore")


def _watchdog(worker: Worker) -> Watchdog:
    limit = worker.spec.trained.hang_timeout_seconds
    stacks = worker.scratch / f"stacks-{worker.rank}.txt"

    def give_up() -> None:
        message = f"no step within training.hangTimeoutSeconds ({limit} s)"
        now = datetime.now(UTC)
        end = End(result=Cause.HANG, rank=worker.rank, message=message, at=now)
        ends.write_end(worker.scratch, worker.rank, end)
        os._exit(1)

    return Watchdog(limit, stacks, give_up)


def _reporter(worker: Worker, store: Store, clock: WallClock) -> Reporter:
    invocation = worker.invocation
    first = Heartbeat(
        attempt=invocation.attempt,
        writer=writer_name(invocation.attempt, invocation.pod_uid),
        at=datetime.now(UTC),
        phase="Starting",
        tokens_total=worker.spec.trained.tokens,
        unknown_fields=unknown_fields(store, keys_of(invocation), invocation.attempt),
    )
    return Reporter(store, worker.keys, first, clock)


if __name__ == "__main__":
    main()
