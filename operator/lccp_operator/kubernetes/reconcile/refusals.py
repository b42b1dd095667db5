"""Refusals of parts of a plan and faults of LCCP are told on the run object, not only logged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from lccp.api.conditions import Reason
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.base import cut
from lccp.contract.errors import Conflict, InvalidInput, LccpError, NotFound, StoreUnavailable
from lccp_operator.intents import Event, EventReason
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.events import LateAnswers, post
from lccp_operator.kubernetes.ownership import Ownership
from lccp_operator.kubernetes.reconcile.bodies import Said, held, marks_of
from lccp_operator.kubernetes.reconcile.memory import Memories
from lccp_operator.kubernetes.store_health import StoreHealth
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observe import unreachable
from lccp_operator.plan import hindered

RETRIED = "it is retried, and later actions wait for it"
AGAIN = (
    "again and again, so that another program writes it without end, or the store's conditional "
    f"writes do not work for it (was bucket versioning suspended?): {RETRIED}"
)
STILL_NOT_FOUND = f"again and again, though the run is there: {RETRIED}"


@contextmanager
def told(
    run: LCCPRun,
    runs: KubernetesRuns,
    guard: Callable[[], None],
    tell_store: Callable[[LCCPRunStatus], None],
    noted: Callable[[LCCPRunStatus], None],
    loses_races: bool = False,
) -> Iterator[None]:
    """A refusal inside, by the API server or by the store, is raised and reported.

    So are a conflict and an object that is not found if `loses_races`, since they are no races.

    `Degraded` says it, as do an event, the metrics, by `noted`, and the store, if it takes that. A
    store that refuses this run alone is otherwise in order, so that nothing else would report it.
    So is one that can be read and not written, as on a full disk: `Degraded` says that, too, in
    the words of an outage that a check of the store finds: either may come first.
    A status that was written inside is left as it is; then only the others report the refusal.
    After another failure the metrics report the run as it was read: at least that it is there.
    """

    def refused(sentence: str) -> None:
        guard()
        at = datetime.now(UTC)
        status = hindered(run, sentence, at)
        noted(status)
        _tell(run, runs, sentence, status, at, tell_store)

    try:
        yield
    except (Conflict, NotFound) as error:
        if loses_races:
            refused(cut(f"{error}: {AGAIN if isinstance(error, Conflict) else STILL_NOT_FOUND}"))
        else:
            noted(run.status or LCCPRunStatus())
        raise
    except (InvalidInput, api.AdmissionUnavailable) as error:
        refused(cut(f"{error}: {RETRIED}"))
        raise
    except StoreUnavailable as error:
        guard()
        sentence, at = cut(unreachable(error)), datetime.now(UTC)
        status = hindered(run, sentence, at, Reason.STORE_UNREACHABLE)
        noted(status)
        if not _says(run, sentence):
            _written(run, runs, status)
        raise
    except Exception:
        noted(run.status or LCCPRunStatus())
        raise


@contextmanager
def doubted(health: StoreHealth) -> Iterator[None]:
    """A failure inside of the store, and not of the API server, is raised; the store is checked.

    One that lists its objects may take no writes all the same.
    """
    try:
        yield
    except (InvalidInput, StoreUnavailable) as error:
        if not isinstance(error, api.Refused):
            health.doubt()
        raise


class Faults:
    """Errors that no part of LCCP foresees: `Degraded` says so, and an event an hour.

    `noted` records what was said of a run instead of a plan. Nothing is said in the status of a run
    that another installation carries out. What is said is remembered in `memories` as written by
    this process: it is no change after which the run would be reconciled at once, to fail again.
    """

    def __init__(
        self,
        cluster: api.Cluster,
        ownership: Ownership,
        memories: Memories,
        late: LateAnswers,
        noted: Callable[[Said, RunKey, Object, KubernetesRuns], float],
    ) -> None:
        self._cluster = cluster
        self._ownership = ownership
        self._memories = memories
        self._late = late
        self._noted = noted

    @contextmanager
    def told(self, key: RunKey, body: Object) -> Iterator[None]:
        """Such an error inside is raised and reported."""
        try:
            yield
        except LccpError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            sentence = (
                f"LCCP fails to reconcile this run ({what}): nothing is started, judged or "
                "reported until that is corrected, and it is retried; the operator's log has more, "
                "for a report"
            )
            at = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
            told = Event("Warning", EventReason.FAULT, sentence, at, what)
            post(self._cluster, body["metadata"], told)
            with suppress(LccpError):
                self._hold(key, sentence)
            raise

    def _hold(self, key: RunKey, sentence: str) -> None:
        """The reconcile may have written to the run object before it failed."""
        body = self._cluster.get(api.RUNS, *key)
        if not self._ownership.owner.may_have(marks_of(body).installation):
            return
        runs = KubernetesRuns(self._cluster, body["metadata"]["resourceVersion"], self._late)
        memory = self._memories.get(key)
        if memory is not None:
            memory.runs = runs
        said = held(body, Reason.FAULT, sentence, runs)
        if memory is not None and runs.written:
            memory.wrote_status(runs.written)
        self._noted(said, key, body, runs)


def _tell(
    run: LCCPRun,
    runs: KubernetesRuns,
    sentence: str,
    status: LCCPRunStatus,
    at: datetime,
    tell_store: Callable[[LCCPRunStatus], None],
) -> None:
    if _says(run, sentence):
        return
    written = _written(run, runs, status)
    if not written:
        at = at.replace(minute=0, second=0, microsecond=0)
    runs.post(run, Event("Warning", EventReason.REFUSED, sentence, at, about=sentence))
    if written:
        with suppress(InvalidInput):
            tell_store(status)


def _says(run: LCCPRun, sentence: str) -> bool:
    before = run.status.conditions if run.status else ()
    return any(condition.message == sentence for condition in before)


def _written(run: LCCPRun, runs: KubernetesRuns, status: LCCPRunStatus) -> bool:
    """Whether the status now reports it; else an event does, once an hour while it lasts."""
    if runs.written is not None:
        return False
    try:
        runs.write_status(run, status)
    except LccpError:
        return False
    return True
