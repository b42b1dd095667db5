"""Names of the objects that run workloads, and the orders of their processes."""

import re

import a_run
import pytest
from hypothesis import given
from hypothesis import strategies as st
from operator_world import EVERY_TOKENS

from lccp.api.invocation import StoreConfig
from lccp.api.labels import INTRINSIC, RUN_NAME_LENGTH_MAX
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import NAME_LENGTH_MAX, PodSet
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.training import Training

SUITE = "a-suite-of-a-long-name"


def test_a_short_name_is_the_runs_with_the_workloads_after_it() -> None:
    assert Training(3).name("tiny") == "tiny-train-a3"
    assert Purge().name("tiny") == "tiny-purge"


def test_a_long_name_is_cut_and_still_tells_workloads_apart() -> None:
    run = "r" * RUN_NAME_LENGTH_MAX
    names = {Evaluation(tokens, SUITE).name(run) for tokens in (EVERY_TOKENS, 2 * EVERY_TOKENS)}
    other = Evaluation(EVERY_TOKENS, SUITE).name("r" * (RUN_NAME_LENGTH_MAX - 1))

    assert len(names | {other}) == 3
    for name in names:
        assert len(name) <= NAME_LENGTH_MAX
        assert name.startswith("rrr")
        assert name[-15:].isdigit()


@pytest.mark.slow
@given(st.from_regex(r"[a-z]([-a-z0-9]{0,50}[a-z0-9])?", fullmatch=True))
def test_every_name_is_a_label(run: str) -> None:
    name = Evaluation(EVERY_TOKENS, SUITE).name(run)

    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", name)
    assert len(name) <= NAME_LENGTH_MAX


@pytest.mark.parametrize(("is_gang", "processes"), [(True, 1), (False, 2)])
def test_processes_are_told_their_run_and_how_many_they_are_unless_a_gang(
    is_gang: bool, processes: int
) -> None:
    run, store = a_run.run(), StoreConfig(name="runs", url="file://runs")
    pods = PodSet("evaluator", (), "image", is_gang=is_gang, processes=2, attempt=3, tokens=4_096)

    told = pods.invocation(run, store)

    assert (told.namespace, told.name) == (run.metadata.namespace, run.metadata.name)
    assert (told.store, told.attempt, told.tokens) == (store, 3, 4_096)
    assert (told.suite, told.processes) == (INTRINSIC, processes)
