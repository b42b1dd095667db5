from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import a_run
import numpy as np
import pytest
from reports import a_value, declared
from scraped import Scraped

from lccp.api.causes import Cause
from lccp.api.objects.training import End, Ledger
from lccp.api.objects.verdict import Answer, Gain, GainState, Gate, Verdict
from lccp.contract.signals import Role
from lccp.probes import retrieval_heads
from lccp.probes.probe import Contexts, HeatMaps
from lccp.probes.registry import PROBES
from lccp.probes.retrieval_heads import RetrievalHeadsSettings
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter import exposition, reference
from lccp_exporter.facts import Judged, Measured, RunFacts
from lccp_exporter.metrics.cells import ALL, CELLS_MAX, cells, charts
from lccp_exporter.metrics.own import EXPORTS, STORES
from lccp_exporter.metrics.table import RUN_METRICS, SERIES_MAX
from lccp_exporter.refresh import Runs, StoreWatch

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
CELLS = {metric.name for metric in cells()}
RUN = {"namespace": "default", "run": "tiny"}
Value = Callable[..., float | None]


def test_progress_is_what_the_heartbeat_says(value: Value) -> None:
    assert value("lccp_trained_tokens") == a_run.CHECKPOINTS[6]
    assert value("lccp_token_budget") == a_run.BUDGET_TOKENS
    assert value("lccp_training_loss") == 3.12
    assert value("lccp_last_heartbeat_timestamp_seconds") == NOW.timestamp()
    assert value("lccp_unsaved_tokens") == a_run.CHECKPOINTS[6]


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


def test_what_the_trainer_tells_of_itself(value: Value) -> None:
    assert value("lccp_goodput_ratio") == 0.75
    told = {
        name: value("lccp_wall_time_seconds", activity=name)
        for name in ("queued", "starting", "productive", "saving", "lost")
    }
    queued = (NOW - a_run.START).total_seconds() - a_run.LEDGER.total
    ran = {"starting": 30, "productive": 150, "saving": 20, "lost": 0}
    assert told == {"queued": queued, **ran}
    assert value("lccp_training_spikes_total") == 3
    assert value("lccp_source_loss_nats", source="long") == 3.25
    assert value("lccp_source_epochs_max") == 1.25
    assert value("lccp_router_entropy_nats", band="first half") == 0.9
    assert value("lccp_router_busiest_share", band="second half") == 0.4
    assert value("lccp_peak_memory_bytes") == 2**30
    assert value("lccp_last_save_seconds") == 1.5


def test_goodput_is_that_of_all_attempts(store: FileStore, watch: StoreWatch) -> None:
    lost = End(result=Cause.HANG, ledger=Ledger(lost=100.0, hanging=100.0), at=a_run.START)
    store.put(a_run.KEYS.end(a_run.WRITER), lost.to_json())
    beat = a_run.heartbeat(1, NOW).model_copy(update={"attempt": 2, "spikes_total": 4})
    store.put(a_run.KEYS.heartbeat("a2-00000000"), beat.to_json())
    watch.refresh()
    scraped = Scraped.of(Runs([watch]))
    assert scraped.value("lccp_goodput_ratio", **RUN) == 150 / 400
    assert scraped.value("lccp_training_spikes_total", **RUN) == 7


def test_exactly_one_state_of_the_verdict_is_one(value: Value) -> None:
    assert value("lccp_verdict", state="DeceptivelySaturated") == 1
    others = ("Improving", "Saturated", "Regressing", "Undetermined")
    assert [value("lccp_verdict", state=state) for state in others] == [0, 0, 0, 0]


def test_the_least_gain_is_that_of_the_leading_signal() -> None:
    judged = Judged.of(a_run.verdict_with_own_min_gain(0.05))
    (metric,) = [one for one in RUN_METRICS if one.name == "lccp_min_gain"]
    assert metric.samples(RunFacts("default", "tiny", judged=judged)) == [((), 0.05)]


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


@pytest.mark.parametrize("answer", ["Yes", "No", "Undecided"])
def test_a_gate_has_one_answer(store: FileStore, watch: StoreWatch, answer: Answer) -> None:
    gate = Gate(answer=answer, sentences=())
    verdict = a_run.verdict(a_run.reports(a_run.CHECKPOINTS[:7])).model_copy(update={"gate": gate})
    store.put(a_run.KEYS.verdict, verdict.to_json())
    watch.refresh()
    shown = Scraped.of(Runs([watch])).samples("lccp_gate")
    assert {one.labels["answer"]: one.value for one in shown} == {
        each: float(each == answer) for each in ("Yes", "No", "Undecided")
    }


def test_a_run_without_a_gate_has_no_answer(watch: StoreWatch) -> None:
    assert Scraped.of(Runs([watch])).samples("lccp_gate") == []


def test_a_failed_evaluation_counts_once_it_is_not_tried_again(store: FileStore) -> None:
    journal = a_run.journal(stopped=False)
    key = f"{a_run.CHECKPOINTS[6]:015d}/intrinsic"

    def counted(**outcome: object) -> tuple[float | None, ...]:
        failed = journal.evaluations[key].model_copy(update={"result": "Failed", **outcome})
        changed = journal.model_copy(update={"evaluations": {**journal.evaluations, key: failed}})
        store.put(a_run.KEYS.journal, changed.to_json())
        watch = StoreWatch("default", store, timedelta(days=1), now=lambda: NOW)
        watch.refresh()
        scraped = Scraped.of(Runs([watch]))
        name = "lccp_checkpoint_evaluations"
        failed_now = scraped.value(name, **RUN, result="Failed")
        return failed_now, scraped.value(f"{name}_pending", **RUN)

    assert counted(tries=1) == (0, 1)
    assert counted(tries=4, exhausted=True) == (1, 0)


def test_how_far_the_middle_is_lost_has_a_trend(value: Value) -> None:
    signal = "niah_lost_in_the_middle"
    newest = a_run.report(a_run.CHECKPOINTS[6]).signal(signal)
    assert newest is not None
    assert value("lccp_signal", signal=signal, band="extension") == newest.value
    assert value("lccp_signal_gain", signal=signal) is not None
    assert sum(value("lccp_signal_state", signal=signal, state=s) for s in GainState) == 1
    assert value("lccp_signal_gain", signal=f"{signal}_guard") is None


def test_what_is_not_known_has_no_series(store: FileStore, watch: StoreWatch) -> None:
    other = RunKeys("team", "other")
    a_run.put(store, a_run.without(a_run.finished(), "heartbeat", "verdict", "journal"), other)
    watch.refresh()
    scraped, labels = Scraped.of(Runs([watch])), {"namespace": "team", "run": "other"}
    assert scraped.value("lccp_trained_tokens", **labels) is None
    assert scraped.value("lccp_unreadable_objects", **labels) == 0


def large_verdict(names: list[str]) -> Verdict:
    """A verdict over so many signals, each of which has a role that makes it watched."""
    template = a_run.verdict()
    gain = template.checkpoints[-1].gains[0]
    gains = tuple(gain.model_copy(update={"signal": name}) for name in names)
    newest = template.checkpoints[-1].model_copy(update={"gains": gains})
    signals = tuple(
        declared("niah_ppl").model_copy(update={"name": name, "role": Role.GUARD}) for name in names
    )
    return template.model_copy(update={"checkpoints": (newest,), "signals": signals})


def worst_case(signals: int, checkpoints: int, grid: tuple[int, int]) -> RunFacts:
    names = [f"signal_{n:03d}" for n in range(signals)]
    report = a_run.report(0)
    part = report.probes["niah"].model_copy(
        update={
            "signals": tuple(
                a_value(declared("niah_ppl").model_copy(update={"name": name}), 2.0)
                for name in names
            )
        }
    )
    large = report.model_copy(update={"probes": {"niah": part}})
    return RunFacts(
        "default",
        "tiny",
        journal=a_run.journal(stopped=False),
        heartbeat=a_run.heartbeat(),
        measured=[
            Measured.of(large.model_copy(update={"tokens": tokens}))
            for tokens in range(checkpoints)
        ],
        details={name: {**grid_of(chart, grid)} for name, chart in charts()},
        judged=Judged.of(large_verdict(names)),
    )


def grid_of(chart: HeatMaps, grid: tuple[int, int]) -> Mapping[str, np.ndarray]:
    rows, columns = grid
    axes = {chart.down.values: np.arange(rows), chart.across.values: np.arange(columns) + 1}
    return {
        chart.array: np.full(grid, 2.0),
        **{name or "": values for name, values in axes.items()},
    }


@pytest.mark.parametrize("signals", [1, 4, 6, 64, 300])
@pytest.mark.parametrize("grid", [(5, 8), (11, 18), (21, 32), (1, 400)])
def test_a_run_has_fewer_series_than_the_reference_says(
    signals: int, grid: tuple[int, int]
) -> None:
    rendered = exposition.lines(worst_case(signals, 200, grid))
    for metric, text in zip(RUN_METRICS, rendered, strict=True):
        assert text.count(b"\n") <= metric.most, metric.name
    others = sum(metric.most for metric in RUN_METRICS if metric.name not in CELLS)
    assert others + CELLS_MAX < SERIES_MAX
    of_cells = sum(
        text.count(b"\n")
        for metric, text in zip(RUN_METRICS, rendered, strict=True)
        if metric.name in CELLS
    )
    assert of_cells <= CELLS_MAX


def test_the_grids_of_a_default_run_are_shown_cell_by_cell() -> None:
    contexts = Contexts(source=16_384, target=131_072, model=131_072)
    facts = worst_case(1, 1, (1, 1))
    grids = {"niah": (11, 12), "bio": (11, 2)}
    for name, size in grids.items():
        settings = PROBES[name].resolved(PROBES[name].usual, contexts)
        assert (len(settings.depths_percent), len(settings.lengths)) == size
    drawn = {name: grid_of(chart, grids[name]) for name, chart in charts() if name in grids}
    scraped = rendered_of(replace(facts, details=drawn))
    assert len(scraped.samples("lccp_niah_ppl")) == 132
    assert len(scraped.samples("lccp_bio_ppl")) == 22


def test_a_grid_for_which_no_room_is_left_is_shown_as_means() -> None:
    scraped = rendered_of(worst_case(1, 1, (10, 8)))
    found = {name: {s.labels.get("depth") for s in scraped.samples(name)} for name in CELLS}
    assert ALL not in found["lccp_niah_ppl"] | found["lccp_bio_ppl"]
    assert [s.labels["distance"] for s in scraped.samples("lccp_interference_ppl")] == [ALL] * 8


def rendered_of(facts: RunFacts) -> Scraped:
    return Scraped.text(b"".join(exposition.page([exposition.lines(facts)], [])).decode())


def test_a_large_grid_is_shown_as_means_by_length() -> None:
    shown = rendered_of(worst_case(1, 1, (21, 32))).samples("lccp_niah_ppl")
    assert len(shown) == 32
    assert {(s.labels["depth"], round(s.value, 9)) for s in shown} == {("all", 2.0)}


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


def test_the_reference_lists_every_metric() -> None:
    page = reference.render()
    for metric in (*RUN_METRICS, *STORES, *EXPORTS):
        assert page.count(f"| `{metric.name}` |") == 1
