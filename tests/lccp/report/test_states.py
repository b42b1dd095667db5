"""Stretches of a run with one verdict."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.objects.verdict import CheckpointVerdict, VerdictState
from lccp.report.states import STATE_COLOURS, STATE_WORDS, phases


@pytest.mark.slow
@given(st.lists(st.sampled_from(list(VerdictState)), min_size=1, max_size=12))
def test_phases_cover_the_run_without_gaps(states: list[VerdictState]) -> None:
    checkpoints = [CheckpointVerdict(tokens=10 * i, state=s) for i, s in enumerate(states)]
    found = phases(checkpoints)
    assert (found[0].start, found[-1].end) == (0, 10 * (len(states) - 1))
    assert all(a.end == b.start and a.state is not b.state for a, b in pairwise(found))
    for checkpoint in checkpoints:
        inside = [p for p in found if p.start <= checkpoint.tokens <= p.end]
        assert checkpoint.state in {phase.state for phase in inside}


def test_borders_lie_midway_between_checkpoints() -> None:
    states = {0: "Improving", 10: "Improving", 30: "Saturated"}
    found = phases([CheckpointVerdict(tokens=at, state=state) for at, state in states.items()])

    assert [(phase.start, phase.end) for phase in found] == [(0, 20), (20, 30)]
    assert phases(()) == ()


def test_every_state_has_a_word_and_a_colour_of_its_own() -> None:
    assert set(STATE_WORDS) == set(STATE_COLOURS) == set(VerdictState)
    assert len(set(STATE_COLOURS.values())) == len(VerdictState)
