"""One process of the gang, started by torchrun: puts the parts together and trains."""

import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from lccp.api.objects.journal import Cause
from lccp.api.objects.training import End, Heartbeat
from lccp.contract.errors import LccpError
from lccp.store.keys import writer_name
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_trainer import ends, logs
from lccp_trainer.control import StopRequests
from lccp_trainer.heartbeat import Reporter
from lccp_trainer.lifeline import die_with_parent
from lccp_trainer.place import SCRATCH, Place
from lccp_trainer.watchdog import Watchdog


def main() -> None:
    die_with_parent()
    requests = StopRequests()
    requests.listen()
    scratch, rank = Path(os.environ[SCRATCH]), int(os.environ["RANK"])
    ends.mark_started(scratch, rank)
    code = 0
    try:
        end = attempt(Place.of(os.environ), requests)
    except BaseException as error:
        if not isinstance(error, LccpError):
            traceback.print_exc()
        end, code = ends.end_of(error, rank), 1
    ends.write_end(scratch, rank, end)
    sys.stdout.flush()
    sys.stderr.flush()
    # Interpreter shutdown with live gloo threads aborts now and then, after all is done.
    os._exit(code)


def attempt(place: Place, requests: StopRequests) -> End:
    """Train as this rank; how it ended. Rank 0 reports from before the slow imports on."""
    logs.set_up(place.run_name, place.invocation.attempt, f"rank={place.rank}")
    place.own_scratch.mkdir()
    store = open_store(place.invocation.store, place.base)
    watchdog = _watchdog(place)
    reporter = _reporter(place, store) if place.rank == 0 else None
    try:
        if reporter:
            requests.poll(store, place.keys.control(place.invocation.attempt))
        from lccp_trainer.assembly import Edges, train

        logs.quiet_libraries()
        return train(place, Edges(store, requests, watchdog, reporter))
    finally:
        if reporter:
            reporter.finish()


def _watchdog(place: Place) -> Watchdog:
    limit = place.invocation.run.spec.training.hang_timeout_seconds
    stacks = place.scratch / f"stacks-{place.rank}.txt"

    def give_up() -> None:
        message = f"no step within training.hangTimeoutSeconds ({limit} s)"
        now = datetime.now(UTC)
        end = End(result=Cause.HANG, rank=place.rank, message=message, at=now)
        ends.write_end(place.scratch, place.rank, end)
        os._exit(1)

    return Watchdog(limit, stacks, give_up)


def _reporter(place: Place, store: Store) -> Reporter:
    invocation = place.invocation
    first = Heartbeat(
        attempt=invocation.attempt,
        writer=writer_name(invocation.attempt, invocation.pod_uid),
        at=datetime.now(UTC),
        phase="Starting",
        tokens_total=invocation.run.spec.training.tokens,
    )
    return Reporter(store, place.keys, first)


if __name__ == "__main__":
    main()
