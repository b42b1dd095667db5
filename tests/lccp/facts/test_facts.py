"""What follows from the facts of a run."""

import a_run
import pytest

from lccp.api.objects.journal import Control
from lccp.facts.facts import Checkpoint, RunFacts

Facts = RunFacts[int, int]
CHECKPOINT = Checkpoint(tokens=1, step=1, writer="a1-0", digest="d")
KEY = (1, "intrinsic")


def test_the_newest_attempt_tells_the_heartbeat() -> None:
    old, new = a_run.heartbeat(9), a_run.heartbeat(5)

    assert Facts(heartbeats={2: new, 1: old}).heartbeat is new
    assert Facts().heartbeat is None


def test_attempts_that_are_asked_to_drain_are_told() -> None:
    assert Facts(controls={1: Control(), 2: Control(request="Drain")}).drains == {2}


@pytest.mark.parametrize(
    ("facts", "run", "progress"),
    [
        (Facts(), False, False),
        (Facts(identity=a_run.identity()), False, False),
        (Facts(journal_etag="e"), True, False),
        (Facts(heartbeats={1: a_run.heartbeat()}), True, False),
        (Facts(checkpoints={1: CHECKPOINT}), True, True),
        (Facts(reports={KEY: 1}), True, True),
        (Facts(damaged_reports={KEY: "damaged"}), True, True),
        (Facts(newest_state=1), True, True),
    ],
)
def test_progress_is_what_there_is_to_lose(facts: Facts, run: bool, progress: bool) -> None:
    assert (facts.holds_a_run, facts.holds_progress) == (run, progress)
