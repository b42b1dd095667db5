"""torchrun in a process that dies with the launcher and records which ranks failed first."""

import json
import logging
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from lccp.lifeline import die_with_parent
from lccp_trainer.worker import SCRATCH

DEATHS_FILE = "deaths.json"
ENDED_BY_TORCHRUN = (-signal.SIGTERM, -signal.SIGKILL)
"""Exit codes of the ranks that torchrun ends once one has failed."""


def failed_first(codes: Mapping[int, int]) -> dict[int, int]:
    """The ranks that failed on their own, from exit codes by rank in the order of their ends.

    torchrun also names the ranks that it ended because of these. A rank that a signal killed can't
    be told from those, unless it was the first.
    """
    first = next(iter(codes))
    return {r: c for r, c in codes.items() if r == first or c not in ENDED_BY_TORCHRUN}


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
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        deaths = [{"rank": r, "exit_code": code} for r, code in failed_first(codes).items()]
        Path(os.environ[SCRATCH], DEATHS_FILE).write_text(json.dumps(deaths))
        sys.exit(1)
    except SignalException:
        sys.exit(1)


if __name__ == "__main__":
    main()
