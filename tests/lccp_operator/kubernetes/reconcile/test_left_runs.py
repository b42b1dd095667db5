"""Runs are left to other installations, also to those that live though they are called gone."""

from typing import Any, cast

from lccp_operator.kubernetes.backend import KubernetesRuns
from lccp_operator.kubernetes.reconcile.left_runs import AGAIN_SECONDS, LEFT_SECONDS, LeftRuns
from lccp_operator.kubernetes.workloads.seen import RunKey
from lccp_operator.observed import Owner
from lccp_operator.plan.acceptance import left_alone

KEY = RunKey("lab", "tiny")
MINE, OTHER = "lab/mine@00000001", "lab/other@00000002"
OWNER = Owner(MINE, frozenset({OTHER}))


class Runs:
    """What a reconcile wrote and posted."""

    def __init__(self, written: Any = None, posted: bool = True) -> None:
        self.written, self.posted = written, posted


def runs(written: Any = None, posted: bool = True) -> KubernetesRuns:
    return cast(KubernetesRuns, Runs(written, posted))


def body(installation: str, attempt: int = 1, uid: str = "run-1") -> dict[str, Any]:
    status = {"installation": installation, "attempt": attempt}
    return {"metadata": {"uid": uid}, "status": status}


def test_to_whom_a_run_object_is_left_is_known_until_that_changes_or_it_is_gone() -> None:
    left = LeftRuns()
    assert left.told(KEY, "run-1") is None

    left.note(KEY, "run-1", OTHER, runs(posted=False))
    assert left.told(KEY, "run-1") is None

    for change in (
        lambda: left.note(KEY, "run-1", None, runs()),
        lambda: left.forget(KEY),
        lambda: left.told(KEY, "run-2"),
    ):
        left.note(KEY, "run-1", OTHER, runs())
        assert left.told(KEY, "run-1") == OTHER
        change()
        assert left.told(KEY, "run-1") is None


class World:
    """Two installations, each of which may adopt from the other."""

    def __init__(self) -> None:
        self.now = 0.0
        self.left = LeftRuns(lambda: self.now)

    def adopts(self, read: dict[str, Any], written: dict[str, Any]) -> bool:
        """Whether the installation may take the run over as it is read; then it writes."""
        owner = self.left.owner(KEY, read, OWNER)
        if owner.may_have(OTHER):
            self.left.note(KEY, "run-1", None, runs(written))
        return owner.may_have(OTHER)


def test_a_run_is_taken_over_from_one_that_is_gone_and_once_more_if_somebody_undoes_that() -> None:
    world = World()
    assert world.adopts(body(OTHER), body(MINE))
    assert world.adopts(body(OTHER), body(MINE))
    world.now = AGAIN_SECONDS
    assert world.adopts(body(OTHER), body(MINE))


def test_a_run_that_another_installation_takes_back_is_left_to_it_for_a_while() -> None:
    world = World()
    for _ in range(2):
        assert world.adopts(body(OTHER), body(MINE))
    for world.now in (1.0, LEFT_SECONDS):
        assert not world.adopts(body(OTHER), body(MINE))
    world.now = LEFT_SECONDS + 1
    assert world.adopts(body(OTHER), body(MINE))


def test_so_is_one_of_which_both_only_say_something_else() -> None:
    """The one without its store claims nothing, but its words replace the other's."""
    world = World()
    for _ in range(2):
        assert world.adopts(body(OTHER, attempt=1), body(OTHER, attempt=2))
    assert not world.adopts(body(OTHER, attempt=1), body(OTHER, attempt=2))


def test_what_this_installation_alone_writes_tells_of_nobody() -> None:
    world = World()
    for attempt in range(5):
        assert world.adopts(body(OTHER, attempt), body(OTHER, attempt + 1))


def test_the_remedy_names_both_lists() -> None:
    world = World()
    for _ in range(2):
        world.adopts(body(OTHER), body(MINE))
    owner = world.left.owner(KEY, body(OTHER), OWNER)

    told = left_alone("lab", owner, OTHER, cast(Any, None))

    assert f"installation {OTHER} lives: it took this run back from installation {MINE}" in (
        told.message
    )
    assert told.message.endswith(
        f"remove {OTHER} from that adoptFrom, and this installation from the other's"
    )
    assert told.about != left_alone("lab", OWNER, OTHER, cast(Any, None)).about
