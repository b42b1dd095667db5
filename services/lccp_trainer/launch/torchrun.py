"""torchrun in a process that dies with the launcher and records which ranks failed first."""

import json
import logging
import os
import sys
from pathlib import Path

from lccp_trainer.launch.lifeline import die_with_parent
from lccp_trainer.worker import SCRATCH

DEATHS_FILE = "deaths.json"


def main() -> None:
    die_with_parent()
    from torch.distributed import run
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    # What torchrun says of a failure is said better, once, by the launcher.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        run.main(sys.argv[1:])
    except ChildFailedError as error:
        deaths = [
            {"rank": rank, "exit_code": failure.exitcode}
            for rank, failure in sorted(error.failures.items())
        ]
        Path(os.environ[SCRATCH], DEATHS_FILE).write_text(json.dumps(deaths))
        sys.exit(1)
    except SignalException:
        sys.exit(1)


if __name__ == "__main__":
    main()
