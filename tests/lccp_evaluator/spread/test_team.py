"""Several processes read the passages of one evaluation."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from tiny_checkpoints import a_checkpoint

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.passes.passage import Passage, Reading
from lccp_evaluator.spread.opening import Opening
from lccp_evaluator.spread.orders import Job
from lccp_evaluator.spread.process import ProcessLost
from lccp_evaluator.spread.team import Team

JOBS = {
    number: Job([Passage(np.arange(number, number + 24), (20, 24), (2, 6))]) for number in range(4)
}


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Opening:
    plan = ExecutionPlan.here(Execution("cpu", processes=2)).model_copy(update={"way": "Forked"})
    return Opening(a_checkpoint(tmp_path_factory.mktemp("model")), plan, False, watches=True)


@pytest.mark.long
def test_followers_read_what_the_leader_would_and_end_with_the_team(opening: Opening) -> None:
    read: dict[int, list[Reading]] = {}
    by_leader: set[int] = set()
    with opening.engine() as engine:
        pass

    def own(number: int, job: Job) -> list[Reading]:
        by_leader.add(number)
        while len(by_leader) + len(read) < len(JOBS) and not set(read) - by_leader:
            os.sched_yield()  # until a follower has read one
        return engine.read(job.passages)

    with Team(2) as team:
        team.read(JOBS, opening, own, read.__setitem__)
        (follower,) = team.followers

    assert follower.process.poll() is not None
    assert len(by_leader) < len(JOBS)
    for number, job in JOBS.items():
        (found,), (wanted,) = read[number], engine.read(job.passages)
        np.testing.assert_allclose(found.nll, wanted.nll, atol=1e-6)
        assert (found.copied == wanted.copied).all()
        np.testing.assert_allclose(found.mass, wanted.mass, atol=1e-6)


def test_a_process_that_dies_fails_the_evaluation(opening: Opening) -> None:
    def own(number: int, job: Job) -> list[Reading]:
        (follower,) = team.followers
        os.kill(follower.process.pid, signal.SIGKILL)
        return []

    def done(number: int, readings: list[Reading]) -> None:
        """Keep nothing."""

    with Team(2) as team, pytest.raises(ProcessLost, match=r"process 1 of .* 2 .* was killed"):
        team.read(JOBS, opening, own, done)


def _kept(number: int, readings: list[Reading]) -> None:
    """Keep nothing."""


def test_devices_that_are_not_there_are_refused(opening: Opening) -> None:
    plan = opening.plan.model_copy(update={"device": "cuda"})
    there = Opening(Path("nowhere"), plan, False, watches=True)

    with Team(2) as team, pytest.raises(InvalidInput, match=r"has 0: lower evaluation\.processes"):
        team.read(JOBS, there, lambda number, job: [], _kept)
