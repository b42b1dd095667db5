"""A process that reads passages for another one, and ends with it.

`python -m lccp_evaluator.spread.follower FD NUMBER`: it takes an `Opening`, then jobs, from the
connection FD, and answers each job by its readings.
"""

import logging
import os
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

import torch

from lccp.api.causes import Cause, cause_of
from lccp.contract.errors import LccpError, sentence_of
from lccp.lifeline import die_with_parent
from lccp.logs import configure_from
from lccp_evaluator.spread.orders import Failed

logger = logging.getLogger("lccp_evaluator.spread.follower")


def main() -> None:
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that leads hears it
    number = int(sys.argv[2])
    configure_from(os.environ, rank=number)
    if torch.cuda.is_available():
        torch.cuda.set_device(number)
    serve(Connection(int(sys.argv[1])))


def serve(orders: "Connection[Any, Any]") -> None:
    """Do what is told until nothing more is."""
    try:
        engine = orders.recv().engine()
        while True:
            job = orders.recv()
            orders.send(engine.read(job.passages, masked=job.masked))
    except EOFError:
        return
    except Exception as error:
        orders.send(Failed(_sendable(error)))


def _sendable(error: Exception) -> LccpError | MemoryError | RuntimeError:
    """An error of the same cause that another process can raise."""
    if isinstance(error, LccpError):
        return error
    if cause_of(error) is Cause.OUT_OF_MEMORY:
        return MemoryError(str(error))
    logger.exception("the follower failed")
    return RuntimeError(sentence_of(error))


if __name__ == "__main__":
    main()
