"""Another process of an evaluation: it answers orders, and ends if this process ends."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection, Pipe
from types import MappingProxyType
from typing import Any

from lccp.api.causes import Cause, cause_of
from lccp.contract.errors import LccpError, sentence_of
from lccp.lifeline import PARENT_PID, die_with_parent
from lccp.logs import configure_from
from lccp_evaluator.spread.orders import Failed
from lccp_evaluator.starting import heap

logger = logging.getLogger("lccp_evaluator.spread.process")

EMPTY: Mapping[str, str] = MappingProxyType({})


class ProcessLost(LccpError):
    """A process of an evaluation ended before finishing its work."""


class Process:
    """A process that runs `module`; messages call it `name`.

    Its arguments are the file descriptor of a connection, and `number`, that of its device. It has
    this process's environment, with `variables` set. A terminal's Ctrl-C does not reach it.
    """

    def __init__(
        self, module: str, number: int, name: str, variables: Mapping[str, str] = EMPTY
    ) -> None:
        self._name = name
        self._failed: Failed | None = None
        self.orders: Connection[Any, Any]
        self.orders, theirs = Pipe()
        command = [sys.executable, "-m", module, str(theirs.fileno()), str(number)]
        environ = {
            **os.environ,
            **variables,
            **heap.tuned(os.environ),
            PARENT_PID: str(os.getpid()),
        }
        self.process = subprocess.Popen(
            command, env=environ, pass_fds=[theirs.fileno()], process_group=0
        )
        theirs.close()

    def tell(self, order: object) -> None:
        """Send it an order. Raises ProcessLost if it ended without an answer."""
        try:
            self.orders.send(order)
        except OSError:
            if not self.orders.poll():  # else its answer says why it ended
                raise self._lost() from None

    def answer(self) -> Any:
        """Its next answer. Raises its error, also in all later calls, or ProcessLost."""
        try:
            said = self._failed or self.orders.recv()
        except (EOFError, OSError):
            raise self._lost() from None
        if isinstance(said, Failed):
            self._failed = said
            raise said.error
        return said

    def end(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()

    def _lost(self) -> ProcessLost:
        code = self.process.wait()
        if code == -signal.SIGKILL:
            return ProcessLost(f"{self._name} was killed, which happens when memory runs out")
        return ProcessLost(f"{self._name} ended with exit code {code}: read its log")


def begin() -> tuple["Connection[Any, Any]", int]:
    """Set up a process that `Process` started: its connection, and the number of its device."""
    die_with_parent()
    number = int(sys.argv[2])
    configure_from(os.environ, rank=number)
    return Connection(int(sys.argv[1])), number


def failed(error: Exception) -> Failed:
    """What to send for `error`: one of the same cause that another process can raise."""
    if isinstance(error, LccpError):
        return Failed(error)
    if cause_of(error) is Cause.OUT_OF_MEMORY:
        return Failed(MemoryError(str(error)))
    logger.exception("a process of the evaluation failed")
    return Failed(RuntimeError(sentence_of(error)))
