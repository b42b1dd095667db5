"""Metrics of what a trainer tells of itself."""

from collections.abc import Callable
from datetime import UTC, datetime

import a_run
import pytest
from scraped import Scraped

from lccp.api.causes import Cause
from lccp.api.objects.training import End, Ledger
from lccp.store.file import FileStore
from lccp_exporter.refresh import Runs, StoreWatch

pytestmark = pytest.mark.slow

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
Value = Callable[..., float | None]
RUN = {"namespace": "default", "run": "tiny"}


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
    measured = a_run.held_out(a_run.CHECKPOINTS[6])
    beyond = value("lccp_held_out_loss_nats", source="long", band="beyond")
    assert beyond == measured.cells[1].loss
    assert value("lccp_held_out_checkpoint_tokens") == measured.tokens
    assert value("lccp_position_share", start="00000256") == 0.375
    assert value("lccp_router_entropy_nats", band="first half") == 0.9
    assert value("lccp_router_busiest_share", band="second half") == 0.4
    assert (value("lccp_router_experts"), value("lccp_router_even_share")) == (8, 0.25)
    assert value("lccp_peak_memory_bytes") == 2**30
    assert value("lccp_last_save_seconds") == 1.5


def test_an_attempt_that_has_no_checkpoint_yet_shows_what_was_held_out_before(
    store: FileStore, watch: StoreWatch
) -> None:
    beat = a_run.heartbeat(a_run.CHECKPOINTS[-1], NOW)
    beat = beat.model_copy(update={"attempt": 2, "held_out": None, "loss": 1.5})
    store.put(a_run.KEYS.heartbeat("a2-00000000"), beat.to_json())
    watch.refresh()
    scraped = Scraped.of(Runs([watch]))
    assert scraped.value("lccp_training_loss", **RUN) == 1.5
    assert scraped.value("lccp_held_out_checkpoint_tokens", **RUN) == a_run.CHECKPOINTS[6]


def test_goodput_is_that_of_all_attempts(store: FileStore, watch: StoreWatch) -> None:
    lost = End(result=Cause.HANG, ledger=Ledger(lost=100.0, hanging=100.0), at=a_run.START)
    store.put(a_run.KEYS.end(a_run.WRITER), lost.to_json())
    beat = a_run.heartbeat(1, NOW).model_copy(update={"attempt": 2, "spikes_total": 4})
    store.put(a_run.KEYS.heartbeat("a2-00000000"), beat.to_json())
    watch.refresh()
    scraped = Scraped.of(Runs([watch]))
    assert scraped.value("lccp_goodput_ratio", **RUN) == 150 / 400
    assert scraped.value("lccp_training_spikes_total", **RUN) == 7
