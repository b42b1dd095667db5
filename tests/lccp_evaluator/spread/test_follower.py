"""A follower executes its orders, or reports why it could not."""

from dataclasses import replace
from multiprocessing.connection import Pipe
from pathlib import Path

import numpy as np
import pytest
from tiny_checkpoints import a_checkpoint

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.passes.passage import Passage
from lccp_evaluator.spread.follower import serve
from lccp_evaluator.spread.opening import Opening
from lccp_evaluator.spread.orders import Failed, Job


@pytest.fixture(scope="module")
def opening(tmp_path_factory: pytest.TempPathFactory) -> Opening:
    plan = ExecutionPlan.here(Execution("cpu")).model_copy(update={"way": "Forked"})
    return Opening(a_checkpoint(tmp_path_factory.mktemp("model")), plan, False, watches=True)


def answers(opening: Opening, job: Job) -> list[object]:
    """All answers of a follower to the orders to open a model and to do one job."""
    mine, theirs = Pipe()
    mine.send(opening)
    mine.send(job)
    mine.close()
    told, there = Pipe()

    class Orders:
        recv, send = theirs.recv, there.send

    serve(Orders)
    there.close()
    found = []
    while told.poll():
        try:
            found.append(told.recv())
        except EOFError:
            break
    return found


def test_a_job_is_answered_by_its_readings(opening: Opening) -> None:
    job = Job([Passage(np.arange(24), (20, 24), (2, 6))])

    ((found,),) = answers(opening, job)

    with opening.engine() as engine:
        (wanted,) = engine.read(job.passages)
    assert (found.nll == wanted.nll).all()
    assert (found.copied == wanted.copied).all()


@pytest.mark.parametrize(
    ("token", "error", "sentence"),
    [(0, InvalidInput, "config"), (10**6, RuntimeError, "IndexError")],
)
def test_what_it_fails_of_is_told_as_its_cause(
    opening: Opening, tmp_path: Path, token: int, error: type[Exception], sentence: str
) -> None:
    told = opening if token else replace(opening, directory=tmp_path)

    (failed,) = answers(told, Job([Passage(np.full(24, token), (20, 24))]))

    assert isinstance(failed, Failed)
    with pytest.raises(error, match=sentence):
        raise failed.error
