"""The pictures of a verdict's states show what they are named after."""

from xml.etree import ElementTree

import pytest

from lccp.api.objects.verdict import VerdictState
from lccp.report.states import STATE_WORDS
from pictures.runs import RUNS, SimulatedRun
from pictures.verdict import PICTURES

SVG = "{http://www.w3.org/2000/svg}"


def test_every_state_has_one() -> None:
    assert [run.state for run in RUNS] == list(dict.fromkeys(run.state for run in RUNS))
    assert {run.state for run in RUNS} == set(VerdictState)


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.state)
def test_the_simulated_run_ends_in_its_state(run: SimulatedRun) -> None:
    assert run.verdict().state is run.state


@pytest.mark.slow
@pytest.mark.parametrize(("run", "name"), list(zip(RUNS, PICTURES, strict=True)), ids=PICTURES)
def test_a_picture_has_a_title_and_draws_every_checkpoint(run: SimulatedRun, name: str) -> None:
    root = ElementTree.fromstring(PICTURES[name]())
    checkpoints = run.verdict().checkpoints
    assert root.findtext(f"{SVG}title") == STATE_WORDS[run.state]
    assert len(root.findall(f"{SVG}circle")) == 3 * len(checkpoints) - 2
