"""The pulse of a store: whether it answers, asked once for all the runs that lie in it.

A run that rests learns of an outage without asking, and no run asks while one lasts.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from lccp.api.conditions import Reason
from lccp.contract.errors import LccpError, StoreUnavailable
from lccp.store.port import Store
from lccp_operator.observe import unreachable
from lccp_operator.observed import Unknown

PULSE_SECONDS = 10.0
NOTHING = ".pulse/"
"""A prefix below which nothing lies."""

logger = logging.getLogger(__name__)


class Pulse:
    """Asks `store` in a thread of its own; `news` is told when an outage begins or ends."""

    def __init__(self, store: Store, news: Callable[["Pulse"], None]) -> None:
        self.store = store
        self.outage: Unknown | None = None
        """Since when and why it does not answer; None while it does."""
        self._news = news

    def start(self, stop: threading.Event) -> None:
        """Ask every few seconds, until `stop`."""
        name = f"pulse-{self.store.url}"
        threading.Thread(target=self._follow, args=(stop,), name=name, daemon=True).start()

    def ask(self) -> None:
        """Ask once. A refusal is an answer: what it means is for the looks to say."""
        before = self.outage
        try:
            self.store.list(NOTHING)
        except StoreUnavailable as error:
            since = before.since if before else datetime.now(UTC)
            why = unreachable(error)
            self.outage = Unknown(since, why, Reason.STORE_UNREACHABLE, watched=True)
        except LccpError:
            self.outage = None
        else:
            self.outage = None
        if (before is None) != (self.outage is None):
            logger.warning("%s", self.outage.why if self.outage else f"{self.store.url} answers")
            self._news(self)

    def _follow(self, stop: threading.Event) -> None:
        while not stop.wait(PULSE_SECONDS):
            self.ask()
