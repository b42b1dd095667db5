"""Metrics of anneal branches."""

from collections.abc import Callable

import a_branch
import a_run
import pytest
from scraped import Scraped

from lccp.api.causes import Cause
from lccp.api.labels import tokens_key
from lccp.api.objects.journal import AttemptRecord, Journal
from lccp.store.file import FileStore
from lccp_exporter.facts import RunFacts
from lccp_exporter.metrics.branches import BRANCHES
from lccp_exporter.refresh import Runs, StoreWatch

Value = Callable[..., float | None]
AT = a_run.CHECKPOINTS[3]


def sample(name: str, facts: RunFacts) -> float | None:
    (metric,) = (one for one in BRANCHES if one.name == name)
    ((_, value),) = metric.samples(facts)
    return value


@pytest.mark.slow
def test_a_branch_has_its_watched_signals_by_the_tokens_that_it_began_with(
    store: FileStore, watch: StoreWatch
) -> None:
    a_branch.put(store, AT)
    watch.refresh()
    shown = Scraped.of(Runs([watch])).samples("lccp_branch_signal")
    ppl = a_run.report(AT).signal("niah_ppl")
    assert ppl is not None
    assert {one.labels["branch_tokens"] for one in shown} == {tokens_key(AT)}
    (own,) = (one for one in shown if one.labels["signal"] == "niah_ppl")
    assert (own.labels["band"], own.value) == ("extension", a_branch.annealed(ppl.value))


@pytest.mark.slow
def test_signals_of_a_branch_take_no_series_from_those_of_checkpoints(
    store: FileStore, watch: StoreWatch
) -> None:
    def signals() -> set[str]:
        watch.refresh()
        return {one.labels["signal"] for one in Scraped.of(Runs([watch])).samples("lccp_signal")}

    before = signals()
    a_branch.put(store, AT)
    assert signals() == before


@pytest.mark.slow
def test_a_run_without_branches_has_no_signals_of_them(value: Value, watch: StoreWatch) -> None:
    assert value("lccp_branches_trained") == 0
    assert Scraped.of(Runs([watch])).samples("lccp_branch_signal") == []


def test_how_far_the_branch_is_that_is_trained_now() -> None:
    made = [(None, Cause.COMPLETED), (AT, Cause.HANG), (AT, Cause.COMPLETED), (2 * AT, None)]
    attempts = tuple(
        AttemptRecord(number=n, branch=branch, cause=cause, started_at=a_run.START)
        for n, (branch, cause) in enumerate(made, 1)
    )
    facts = RunFacts("default", "tiny", journal=Journal(attempts=attempts))
    assert sample("lccp_branches_trained", facts) == 1
    assert sample("lccp_branch_trained_tokens", facts) is None
    beat = a_run.heartbeat(AT)
    branching = RunFacts("default", "tiny", branching=beat)
    assert sample("lccp_branch_trained_tokens", branching) == AT
