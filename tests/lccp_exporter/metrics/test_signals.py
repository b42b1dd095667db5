"""Metrics of signals and their gains."""

from collections.abc import Callable

import a_branch
import a_run
import pytest
from large_runs import rendered_of, worst_case
from scraped import Scraped

from lccp.api.labels import tokens_key
from lccp.api.objects.verdict import Gain, GainState
from lccp.probes.heads import retrieval_heads
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.store.file import FileStore
from lccp_exporter.refresh import Runs, StoreWatch

pytestmark = pytest.mark.slow

Value = Callable[..., float | None]
RUN = {"namespace": "default", "run": "tiny"}
BRANCH_AT = a_run.CHECKPOINTS[3]


def test_measurements_are_those_of_the_newest_report(value: Value) -> None:
    report = a_run.report(a_run.CHECKPOINTS[6])
    ppl = a_run.details(report.tokens)["niah"]["ppl"]
    assert value("lccp_evaluated_checkpoint_tokens") == report.tokens
    assert value("lccp_evaluation_duration_seconds") == 7.5
    assert value("lccp_niah_ppl", length="0000064", depth="025") == ppl[1, 0]
    shown = [
        (value("lccp_signal", signal=one.name, band=one.band or ""), one.value)
        for one in report.signals()
    ]
    assert {found == measured for found, measured in shown if found is not None} == {True}
    assert [found for found, _ in shown].count(None) == value("lccp_signals_left_out")


def test_a_watched_signal_has_a_series_for_each_checkpoint(value: Value, watch: StoreWatch) -> None:
    for tokens in a_run.CHECKPOINTS[:7]:
        measured = a_run.report(tokens).signal("niah_ppl")
        assert measured is not None
        labels = {"signal": "niah_ppl", "band": "extension", "checkpoint_tokens": f"{tokens:015d}"}
        assert value("lccp_checkpoint_signal", **labels) == measured.value
    shown = Scraped.of(Runs([watch])).samples("lccp_checkpoint_signal")
    names = {sample.labels["signal"] for sample in shown}
    lost = {"niah_lost_in_the_middle", "bio_lost_in_the_middle"}
    assert names == {"niah_ppl", "niah_score", "niah_ppl_guard", "retrieval_heads"} | lost


def test_the_newest_checkpoint_is_compared_with_the_first_and_the_one_before(value: Value) -> None:
    maps = [a_run.details(tokens)["retrieval_heads"] for tokens in a_run.CHECKPOINTS[:7]]
    expected = retrieval_heads.compared(RetrievalHeadsSettings(), maps)
    assert expected["initial_heads_score"][-1] is not None
    for name, values in expected.items():
        assert value("lccp_signal", signal=name, band="") == values[-1]


def test_a_gain_comes_with_its_interval_and_its_state(value: Value) -> None:
    gain = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:7])).checkpoints[-1].gain("niah_ppl")
    assert gain is not None
    names = ("lccp_signal_gain", "lccp_signal_gain_lower", "lccp_signal_gain_upper")
    values = [value(name, signal="niah_ppl") for name in names]
    assert values == [gain.gain, gain.lower, gain.upper]
    states = {
        state.value: value("lccp_signal_state", signal="niah_ppl", state=state.value)
        for state in GainState
    }
    assert states == {state.value: float(state is gain.state) for state in GainState}


def test_how_far_the_middle_is_lost_has_a_trend(value: Value) -> None:
    signal = "niah_lost_in_the_middle"
    newest = a_run.report(a_run.CHECKPOINTS[6]).signal(signal)
    assert newest is not None
    assert value("lccp_signal", signal=signal, band="extension") == newest.value
    assert value("lccp_signal_gain", signal=signal) is not None
    assert sum(value("lccp_signal_state", signal=signal, state=s) for s in GainState) == 1
    assert value("lccp_signal_gain", signal=f"{signal}_guard") is None


def test_watched_signals_come_first_where_there_are_too_many() -> None:
    scraped = rendered_of(worst_case(72, 1, (5, 8)))
    assert scraped.value("lccp_signals_left_out", **RUN) == 8
    shown = {sample.labels["signal"] for sample in scraped.samples("lccp_signal")}
    gains = {sample.labels["signal"] for sample in scraped.samples("lccp_signal_gain")}
    assert gains < shown


def test_gains_of_signals_that_nobody_watches_have_no_series(watch: StoreWatch) -> None:
    gains: list[Gain] = list(a_run.verdict().checkpoints[-1].gains)
    assert "niah_exact" in {gain.signal for gain in gains}
    shown = Scraped.of(Runs([watch])).samples("lccp_signal_gain", signal="niah_exact")
    assert shown == []


def test_a_branch_has_its_watched_signals_by_the_tokens_that_it_began_with(
    store: FileStore, watch: StoreWatch
) -> None:
    a_branch.put(store, BRANCH_AT)
    watch.refresh()
    shown = Scraped.of(Runs([watch])).samples("lccp_branch_signal")
    ppl = a_run.report(BRANCH_AT).signal("niah_ppl")
    assert ppl is not None
    assert {one.labels["branch_tokens"] for one in shown} == {tokens_key(BRANCH_AT)}
    (own,) = (one for one in shown if one.labels["signal"] == "niah_ppl")
    assert (own.labels["band"], own.value) == ("extension", a_branch.annealed(ppl.value))


def test_signals_of_a_branch_take_no_series_from_those_of_checkpoints(
    store: FileStore, watch: StoreWatch
) -> None:
    def signals() -> set[str]:
        watch.refresh()
        return {one.labels["signal"] for one in Scraped.of(Runs([watch])).samples("lccp_signal")}

    before = signals()
    a_branch.put(store, BRANCH_AT)
    assert signals() == before


def test_a_run_without_branches_has_no_signals_of_them(value: Value, watch: StoreWatch) -> None:
    assert value("lccp_branches_trained") == 0
    assert Scraped.of(Runs([watch])).samples("lccp_branch_signal") == []
