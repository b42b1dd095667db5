"""torchrun in a process that dies with the launcher and records which ranks failed first."""

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lccp.lifeline import die_with_parent
from lccp_trainer.ends import leave
from lccp_trainer.worker import SCRATCH

DEATHS_FILE = "deaths.json"
KILLED_AFTER_SECONDS = 30
"""How long torchrun waits after its SIGTERM before it kills a rank (its own default)."""


@dataclass(frozen=True)
class Failure:
    """The exit code of a rank, negative for a signal, and when torchrun saw it, in seconds."""

    exit_code: int
    seen: int


def failed_first(failures: Mapping[int, Failure]) -> dict[int, int]:
    """The ranks that failed on their own, from failures by rank in the order of their ends.

    torchrun also names the ranks that it ended because of these: by SIGTERM, and by SIGKILL if
    that did not suffice. If a rank was killed earlier than that, something else killed it, even if
    torchrun saw a peer's failure in the same poll.
    """
    first = next(iter(failures))
    since = failures[first].seen
    return {
        rank: failure.exit_code
        for rank, failure in failures.items()
        if rank == first or not _ended_by_torchrun(failure, since)
    }


def _ended_by_torchrun(failure: Failure, since: int) -> bool:
    if failure.exit_code == -signal.SIGKILL:
        return failure.seen - since >= KILLED_AFTER_SECONDS
    return failure.exit_code == -signal.SIGTERM


def main() -> None:
    die_with_parent()
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # The launcher reports a failure once, and better than torchrun.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        run.main(sys.argv[1:])
    except ChildFailedError as error:
        failures = {r: Failure(one.exitcode, one.timestamp) for r, one in error.failures.items()}
        deaths = [{"rank": r, "exit_code": code} for r, code in failed_first(failures).items()]
        with suppress(OSError):  # A full disk, which the ranks have reported.
            leave(Path(os.environ[SCRATCH], DEATHS_FILE), json.dumps(deaths).encode())
        sys.exit(1)
    except SignalException:
        sys.exit(1)


if __name__ == "__main__":
    main()
