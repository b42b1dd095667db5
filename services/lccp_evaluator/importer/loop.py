"""The importer's loop: look, copy, report progress, until the budget is reached or on request."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from lccp.api.causes import Cause
from lccp.api.objects.training import End
from lccp.contract.errors import InvalidInput, StoreRefused, StoreUnavailable
from lccp.signals import SignalEvent
from lccp_evaluator.importer.copies import Copies
from lccp_evaluator.importer.pulse import ImportStopped, Pulse, Task
from lccp_evaluator.series.view import Unmeasured, View
from lccp_evaluator.series.watch import Watch

logger = logging.getLogger("lccp_evaluator.importer")

POLL_SECONDS = 2.0
LISTING_SECONDS = 10.0
"""Interval between two polls of a bucket, whose listings cost money."""
PATIENCE_SECONDS = 600.0
"""How long the store may be unreachable, or refuse, before the attempt ends."""
INCOMPLETE_SECONDS = 900.0
"""How long a checkpoint may be incomplete before that is reported."""
TOLD = ("Failed", "LeftOut", "Deleted", "Unread")
PROBLEMS_NAMED = 3


class Importer:
    """Copies the checkpoints that `watch` finds complete. `ended` is set by SIGTERM."""

    def __init__(
        self,
        task: Task,
        watch: Watch,
        copies: Copies,
        pulse: Pulse,
        ended: SignalEvent,
        poll_seconds: float = POLL_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._task, self._watch, self._copies, self._pulse = task, watch, copies, pulse
        self._ended, self._poll_seconds, self._clock = ended, poll_seconds, clock
        self._silent_since: float | None = None
        self._silence = ""
        """Why the last step failed, if a store or bucket was silent or refused it; else empty."""
        self._since: dict[str, float] = {}
        """When a checkpoint was first found incomplete for its present reason, by message."""

    def run(self) -> End:
        """Run, and return how it ended: with the budget's checkpoint, drained, or terminated.

        Raises StoreUnavailable or StoreRefused if the store can't be used for too long.
        """
        while not self._ended.is_set():
            try:
                end = self._step()
                self._silent_since, self._silence = None, ""
            except ImportStopped:
                break
            except (StoreUnavailable, StoreRefused) as error:
                end = None
                self._outlast(error)
            if end is not None:
                return end
        if self._ended.is_set():
            return self._end(Cause.TERMINATED, "received SIGTERM: what was copied is kept", 0)
        return self._end(Cause.DRAINED, "exited as requested", self._pulse.newest)

    def _step(self) -> End | None:
        self._pulse.imports = None
        if not self._pulse.begun:
            self._pulse.beat(self._copies.tokens(), "")
        view, problem = self._seen()
        tokens = self._copies.tokens()
        self._pulse.beat(tokens, problem or self._silence or self._problem(view))
        self._pulse.obey()
        ready = view.next if view is not None else None
        if ready is not None and view is not None:
            logger.info("%s: %s tokens", ready.path, f"{ready.tokens or 0:,}")
            self._pulse.imports = ready.path.name
            self._watch.advance(ready, view, lambda view: None, self._poll_seconds)
        elif tokens and self._pulse.newest >= self._task.until_tokens:
            return self._end(
                Cause.COMPLETED, f"copied {len(tokens)} checkpoints", self._pulse.newest
            )
        else:
            self._ended.wait(self._poll_seconds)
        return None

    def _seen(self) -> tuple[View | None, str]:
        """The contents of the folder, or why it can't be read."""
        try:
            return self._watch.look(), ""
        except (InvalidInput, StoreUnavailable) as error:
            return None, str(error)

    def _problem(self, view: View | None) -> str:
        """What was left out, or stays incomplete, and why; without numbers that keep changing."""
        rows = view.unmeasured if view is not None else ()
        waits = [_told(one) for one in rows if one.state == "Incomplete"]
        self._since = {one: self._since.get(one, self._clock()) for one in waits}
        long = [one for one in waits if self._clock() - self._since[one] >= INCOMPLETE_SECONDS]
        told = [*(_told(one) for one in rows if one.state in TOLD), *long]
        more = [f"and {len(told) - PROBLEMS_NAMED} more"] if len(told) > PROBLEMS_NAMED else []
        return "; ".join([*told[:PROBLEMS_NAMED], *more])

    def _outlast(self, error: StoreUnavailable | StoreRefused) -> None:
        """Wait for the store, or give up."""
        logger.warning("%s", error)
        self._silence = str(error)
        if self._silent_since is None:
            self._silent_since = self._clock()
        if self._clock() - self._silent_since >= PATIENCE_SECONDS:
            raise error
        self._ended.wait(self._poll_seconds)

    def _end(self, result: Cause, message: str, tokens: int) -> End:
        return End(result=result, tokens=tokens, message=message, at=datetime.now(UTC))


def _told(one: Unmeasured) -> str:
    return f"{one.path.name}: {one.note}"
