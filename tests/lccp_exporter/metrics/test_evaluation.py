"""Metrics of evaluations."""

from datetime import UTC, datetime, timedelta

import a_run
import pytest
from scraped import Scraped

from lccp.api.objects.journal import EvaluationOutcome, Journal
from lccp.store.file import FileStore
from lccp_exporter.facts import ExportedFacts
from lccp_exporter.measured import Measured
from lccp_exporter.metrics.evaluation import EVALUATION
from lccp_exporter.refresh import Runs, StoreWatch

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
RUN = {"namespace": "default", "run": "tiny"}


@pytest.mark.slow
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


def test_evaluations_lag_behind_the_newest_complete_checkpoint() -> None:
    (lag,) = [one for one in EVALUATION if one.name == "lccp_evaluation_lag_tokens"]
    beat = a_run.heartbeat().model_copy(update={"checkpoints": (100, 300)})
    report = a_run.report(0).model_copy(update={"tokens": 100})
    facts = ExportedFacts("d", "t", heartbeat=beat, measured=[Measured.of(report)])

    assert [*lag.samples(facts)] == [((), 200.0)]
    assert [*lag.samples(ExportedFacts("d", "t", heartbeat=beat))] == [((), 300.0)]
    assert [*lag.samples(ExportedFacts("d", "t"))] == [((), None)]


def test_evaluations_of_all_suites_count_and_checkpoints_wait_for_the_probes() -> None:
    ended, pending = (
        next(one for one in EVALUATION if one.name == f"lccp_checkpoint_evaluations{suffix}")
        for suffix in ("", "_pending")
    )
    outcome = EvaluationOutcome(checkpoint_digest="", result="Succeeded")
    journal = Journal(evaluations={f"{100:015d}/{suite}": outcome for suite in ("words", "anneal")})
    beat = a_run.heartbeat().model_copy(update={"checkpoints": (100,)})
    facts = ExportedFacts("d", "t", heartbeat=beat, journal=journal)

    assert [*ended.samples(facts)] == [(("Succeeded",), 2.0), (("Failed",), 0.0)]
    assert [*pending.samples(facts)] == [((), 1.0)]
