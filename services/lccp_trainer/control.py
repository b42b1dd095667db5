"""What asks the training to stop: SIGTERM on any rank, or a control object that rank 0 reads."""

import logging
import signal
import threading
from enum import IntEnum

from lccp.api.objects.journal import Control
from lccp.contract.errors import LccpError
from lccp.store.objects import read_or_none
from lccp.store.port import Store

logger = logging.getLogger(__name__)

POLL_SECONDS = 1.0


class Stop(IntEnum):
    """What is asked; the greater one counts."""

    NO = 0
    DRAIN = 1
    TERMINATE = 2


class StopRequests:
    """The stop that this rank was asked for."""

    def __init__(self) -> None:
        self.asked = Stop.NO

    def ask(self, stop: Stop) -> None:
        self.asked = max(self.asked, stop)

    def listen(self) -> None:
        """Let SIGTERM ask for TERMINATE. SIGINT is the launcher's to hear."""
        signal.signal(signal.SIGTERM, lambda *_: self.ask(Stop.TERMINATE))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def poll(self, store: Store, key: str) -> None:
        """Read the control object `key` every second, in a thread, until it says Drain."""
        arguments = (store, key)
        threading.Thread(target=self._poll, args=arguments, name="control", daemon=True).start()

    def _poll(self, store: Store, key: str) -> None:
        pause = threading.Event()
        while self.asked is Stop.NO:
            try:
                control = read_or_none(store, key, Control)
                if control is not None and control.request == "Drain":
                    logger.info("asked to drain")
                    self.ask(Stop.DRAIN)
            except LccpError as error:
                logger.warning("control: %s", error)
            pause.wait(POLL_SECONDS)
