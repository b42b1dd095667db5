"""Runs that are left to other installations, also to one that lives though `adoptFrom` names it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.reconcile.bodies import marks_of
from lccp_operator.kubernetes.reconcile.memory import status_hash
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observed import Owner

AGAIN_SECONDS = 60.0
"""An installation in whose name this one's status of a run is replaced twice within this lives."""

LEFT_SECONDS = 600.0
"""How long the run is then left to it: it may be gone by the end."""


@dataclass
class _Run:
    uid: str
    told: str | None = None
    """To which installation it is left, according to an event."""
    wrote: int | None = None
    """Hash of its status as last written here."""
    replaced_at: float = -math.inf
    left_until: float = -math.inf


class LeftRuns:
    """Remembers of each run object whether it is left to another installation, and why.

    Of two installations that name each other in `adoptFrom` and both live, each would take every
    run from the other, without end.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._runs: dict[RunKey, _Run] = {}

    def told(self, key: RunKey, uid: str) -> str | None:
        """The installation to which this run object is left, if an event already says so."""
        return self._run(key, uid).told

    def owner(self, key: RunKey, body: Object, owner: Owner) -> Owner:
        """`owner`, which does not take the run over from an installation that seems to live."""
        run, now = self._run(key, body["metadata"]["uid"]), self._clock()
        named = marks_of(body).installation
        if named is None or named not in owner.adopts:
            return owner
        if run.wrote not in (None, status_hash(body)):
            if now - run.replaced_at < AGAIN_SECONDS:
                run.left_until = now + LEFT_SECONDS
            run.replaced_at, run.wrote = now, None
        return replace(owner, lives=named) if now < run.left_until else owner

    def note(self, key: RunKey, uid: str, left_to: str | None, runs: KubernetesRuns) -> None:
        """It was left to that installation (None: to nobody), with what `runs` wrote and posted."""
        run = self._run(key, uid)
        if runs.written is not None:
            run.wrote = status_hash(runs.written)
        if run.told != left_to:
            run.told = left_to if runs.posted else None

    def forget(self, key: RunKey) -> None:
        """The run object is gone."""
        self._runs.pop(key, None)

    def _run(self, key: RunKey, uid: str) -> _Run:
        known = self._runs.get(key)
        if known is None or known.uid != uid:
            known = self._runs[key] = _Run(uid)
        return known
