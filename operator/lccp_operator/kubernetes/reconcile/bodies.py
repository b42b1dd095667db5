"""Run objects as the API server gives them: what is read of them before, or instead of, a plan."""

from datetime import UTC, datetime

from lccp.api.labels import REEVALUATE
from lccp.api.run import LCCPRun
from lccp.api.status import LCCPRunStatus
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.backend import FINALIZER, KubernetesRuns
from lccp_operator.plan import invalid_spec


def purges(body: Object) -> bool:
    """Whether its deletion waits for LCCP."""
    return FINALIZER in body["metadata"].get("finalizers", ())


def asked_anew(body: Object) -> str | None:
    """What is to be evaluated anew, as its annotation says it."""
    asked: str | None = body["metadata"].get("annotations", {}).get(REEVALUATE)
    return asked


def parsed(body: Object, where: str) -> LCCPRun:
    """The run; a status that another version wrote is as good as none, since it is made anew."""
    try:
        return LCCPRun.parse(body, where)
    except InvalidInput:
        return LCCPRun.parse({k: v for k, v in body.items() if k != "status"}, where)


def deletion_asked_at(body: Object) -> datetime | None:
    """When its deletion was asked for, UTC."""
    asked = body["metadata"].get("deletionTimestamp")
    return None if asked is None else datetime.fromisoformat(asked)


def refuse(body: Object, sentence: str, runs: KubernetesRuns) -> LCCPRunStatus:
    """Say in the status of an object that is no valid run what is wrong with it."""
    before = _status(body)
    status = invalid_spec(before, body["metadata"]["generation"], sentence, datetime.now(UTC))
    if status != before:
        runs.write(body["metadata"], status)
    return status


def _status(body: Object) -> LCCPRunStatus:
    """Its status; an empty one in place of one that another version wrote."""
    try:
        return LCCPRunStatus.parse(body.get("status", {}), "status")
    except InvalidInput:
        return LCCPRunStatus()
