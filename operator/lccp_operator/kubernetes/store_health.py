"""The health of a store: whether it can be used, checked once for all its runs.

An idle run is told of an outage without a check of its own, and no run checks while one lasts. A
store that is not yet known to accept LCCP's writes is checked by writing.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from lccp.api.conditions import Reason
from lccp.contract.errors import InvalidInput, LccpError, StoreUnavailable
from lccp.store.open import probe
from lccp.store.port import Store
from lccp_operator.observe import unreachable
from lccp_operator.observed import Unknown

PROBE_SECONDS = 10.0
ANSWER_SECONDS = 18.0
"""How long a check may take: a little more than calls wait for a store that sends nothing."""
AWAITED_SECONDS = 120.0
"""After which another check begins: its connection alone may be slow, and others answer by now."""
NOTHING = ".health/"
"""A prefix that is empty."""

logger = logging.getLogger(__name__)


class StoreHealth:
    """Checks `store` in its own thread.

    Calls `on_change` when an outage begins or ends, when the store refuses something else, and when
    it has failed in another way twice in a row.
    """

    def __init__(self, store: Store, on_change: Callable[["StoreHealth"], None]) -> None:
        self.store = store
        self.outage: Unknown | None = None
        """Since when and why it can't be used; None while it can."""
        self._on_change = on_change
        self._takes_writes = False
        self._refusal = ""
        """What it refused at the last check; empty: nothing, or it was silent."""
        self._told = ""
        """Why it can't be used, as `on_change` was last told."""
        self._check: _Check | None = None
        """The check whose answer is awaited."""

    def start(self, stop: threading.Event) -> None:
        """Check every few seconds, until `stop`."""
        name = f"health-{self.store.url}"
        threading.Thread(target=self._follow, args=(stop,), name=name, daemon=True).start()

    def doubt(self) -> None:
        """A write failed: the next check is by writing."""
        self._takes_writes = False

    def ask(self) -> None:
        """Check once. A store that refuses is of no more use than a silent one."""
        before, refused = self.outage, self._refusal
        self._refusal = ""
        self.outage = self._checked(before)
        why = self.outage.why if self.outage else ""
        anew = (before is None, refused) != (self.outage is None, self._refusal)
        stands = before is not None and before.why == why
        if anew or (stands and why != self._told):
            self._told = why
            logger.warning("%s", why or f"{self.store.url} answers")
            self._on_change(self)

    def _checked(self, before: Unknown | None) -> Unknown | None:
        try:
            self._answered()
        except LccpError as error:
            if not isinstance(error, StoreUnavailable):
                self._refusal = str(error)
                self.doubt()
            since = before.since if before else datetime.now(UTC)
            return Unknown(since, unreachable(error), Reason.STORE_UNREACHABLE, watched=True)
        return None

    def tell(self, record: Callable[[Store], None]) -> bool:
        """Let `record` write to the store; False: that is not possible now.

        Raises Conflict, StoreUnavailable: try again.
        """
        if self.outage is not None:
            return False
        try:
            record(self.store)
        except StoreUnavailable:
            self.doubt()
            raise
        except InvalidInput:
            self.doubt()
            return False
        return True

    def _answered(self) -> None:
        """Check it, or wait on for an answer that trickles in. Raises what a check does."""
        check = self._check
        if check is None or time.monotonic() - check.began > AWAITED_SECONDS:
            self._check = check = _Check(self._try)
        if not check.ended.wait(ANSWER_SECONDS):
            told = f"takes more than {ANSWER_SECONDS:g} s to answer in full"
            raise StoreUnavailable(f"store {self.store.url} {told}")
        self._check = None
        if check.error is not None:
            raise check.error

    def _try(self) -> None:
        if not self._takes_writes:
            probe(self.store)
            self._takes_writes = True
        self.store.list(NOTHING)

    def _follow(self, stop: threading.Event) -> None:
        while not stop.wait(PROBE_SECONDS):
            self.ask()


class _Check:
    """A check in a thread of its own: each of its several calls may take its full time."""

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        self.began = time.monotonic()
        self.error: Exception | None = None
        self.ended = threading.Event()
        threading.Thread(target=self._run, name="check", daemon=True).start()

    def _run(self) -> None:
        try:
            self._call()
        except Exception as error:
            self.error = error
        finally:
            self.ended.set()
