"""From a run's facts to somebody's pager, by a real Prometheus and a real Alertmanager.

A minute of the rules is a second here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import a_run
import pytest
import yaml
from helm import CHART
from monitoring import Webhook, alertmanager, prometheus, sixty_times_faster, until, webhook
from serving import free_port

from lccp.api.objects.journal import Acceptance, Cause, Journal
from lccp.store.file import FileStore
from lccp.store.keys import RunKeys
from lccp_exporter.config import configuration
from lccp_exporter.main import Exporter

FILES = CHART / "files"
RUN = {"namespace": "default", "run": "tiny"}
STALLED, SUSPENDED = RunKeys("default", "stalled"), RunKeys("default", "suspended")
STOPPED = RunKeys("default", "stopped")
FAILED = RunKeys("default", "failed")

pytestmark = pytest.mark.long


@dataclass
class Watched:
    """A store that everything down to the webhook follows."""

    store: FileStore
    webhook: Webhook

    def trained(self, checkpoints: int, keys: RunKeys = a_run.KEYS) -> None:
        """The run has so many checkpoints, and trains on."""
        at = datetime.now(UTC)
        a_run.put(self.store, a_run.running(a_run.CHECKPOINTS[checkpoints - 1], at=at), keys)

    def suspended(self, keys: RunKeys) -> None:
        """Its attempt was drained."""
        journal = a_run.journal(stopped=True).model_copy(update={"stop": None})
        assert journal.attempts[-1].cause is Cause.DRAINED
        self.store.put(keys.journal, journal.to_json())

    def failed(self, keys: RunKeys) -> None:
        """It is finished: its last attempt was killed, and no restart is left."""
        journal = a_run.journal(stopped=True)
        killed = {"cause": Cause.OUT_OF_MEMORY, "counted": True}
        attempt = journal.attempts[-1].model_copy(update=killed)
        update = {"attempts": (attempt,), "stop": None, "finished_at": datetime.now(UTC)}
        self.store.put(keys.journal, journal.model_copy(update=update).to_json())

    def stopped(self, keys: RunKeys) -> None:
        """Its verdict drained it; the last checkpoints are being evaluated."""
        self.store.put(keys.journal, a_run.journal(stopped=True).to_json())

    def retained(self, keys: RunKeys) -> None:
        """Its object is deleted, and its artifacts stay."""
        journal = Journal.from_json(self.store.get(keys.journal), keys.journal)
        now = datetime.now(UTC)
        owner = Acceptance(run_uid="1", at=now, earlier_attempts=0, deleted_at=now)
        self.store.put(keys.journal, journal.model_copy(update={"accepted": owner}).to_json())

    def deleted(self, keys: RunKeys) -> None:
        """Its artifacts are deleted with it."""
        for info in [*self.store.list(keys.prefix)]:
            self.store.delete(info.key)

    def sends(self, status: str, within: float = 60, **labels: str) -> bool:
        return until(lambda: bool(self.webhook.sent(status, **labels)), within)


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    store = FileStore(tmp_path / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[0], at=datetime.now(UTC)))
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.5)
    exporter = Exporter(config)
    exporter.start()
    rules = sixty_times_faster((FILES / "alerts.yaml").read_text(encoding="utf-8"))
    inhibition = yaml.safe_load((FILES / "inhibition.yaml").read_text(encoding="utf-8"))
    target = f"127.0.0.1:{exporter.server.port}"
    with (
        webhook() as (url, received),
        alertmanager(tmp_path, url, inhibition) as manager,
        prometheus(tmp_path, [target], rules, manager),
    ):
        yield Watched(store, received)
    exporter.close()


def test_the_verdict_reaches_a_webhook_as_a_run_grows(watched: Watched) -> None:
    watched.trained(7)
    deceptive, saturated = "LCCPRunDeceptivelySaturated", "LCCPRunSaturated"
    assert watched.sends("firing", alertname=deceptive, severity="info", **RUN)
    assert watched.webhook.sent("firing", alertname=saturated) == []
    watched.trained(len(a_run.CHECKPOINTS))
    assert watched.sends("resolved", alertname=deceptive, **RUN)
    assert watched.sends("firing", alertname=saturated, **RUN)
    watched.retained(a_run.KEYS)
    assert watched.sends("resolved", alertname=saturated, **RUN)
    [alert, *_] = watched.webhook.sent("firing", alertname=deceptive)
    assert alert["labels"].keys() == {"alertname", "namespace", "run", "severity"}
    assert alert["annotations"]["summary"] == (
        "A ceiling signal of default/tiny is flat, but the model still improves."
    )
    assert alert["annotations"]["runbook_url"].endswith("lccprundeceptivelysaturated.md")


def test_a_stalled_trainer_pages_until_its_run_is_deleted_and_a_drained_one_does_not(
    watched: Watched,
) -> None:
    for keys in (STALLED, SUSPENDED, STOPPED):
        watched.trained(3, keys)
    watched.suspended(SUSPENDED)
    watched.stopped(STOPPED)
    assert watched.sends(
        "firing", alertname="LCCPTrainingStalled", severity="critical", run="stalled"
    )
    firing = watched.webhook.sent("firing", alertname="LCCPTrainingStalled")
    stalled = {alert["labels"]["run"] for alert in firing}
    assert {"suspended", "stopped"}.isdisjoint(stalled)
    watched.retained(STALLED)
    assert watched.sends("resolved", alertname="LCCPTrainingStalled", run="stalled")


def test_a_failed_run_pages_until_it_is_deleted(watched: Watched) -> None:
    watched.trained(3, FAILED)
    watched.failed(FAILED)
    alert = {"alertname": "LCCPRunFailed", "run": "failed"}
    assert watched.sends("firing", severity="critical", **alert)
    watched.deleted(FAILED)
    assert watched.sends("resolved", **alert)
    failed = watched.webhook.sent("firing", alertname="LCCPRunFailed")
    assert {one["labels"]["run"] for one in failed} == {"failed"}


def test_a_restart_of_the_exporter_leaves_every_alert_pending_since_it_was(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "runs")
    a_run.put(store, a_run.running(a_run.CHECKPOINTS[-1], at=datetime.now(UTC)))
    config = configuration([store.url], None, host="127.0.0.1", port=0, refresh_seconds=0.5)
    first, port = Exporter(config), free_port()
    first.start()
    rules = (FILES / "alerts.yaml").read_text(encoding="utf-8")
    target, other = f"127.0.0.1:{first.server.port}", f"127.0.0.1:{port}"
    with prometheus(tmp_path, [target], rules, later=[other]) as running:

        def pending() -> dict[str, str]:
            return {
                found["metric"]["alertname"]: found["value"][1]
                for found in running.query('ALERTS_FOR_STATE{run="tiny"}')
            }

        assert until(lambda: "LCCPRunSaturated" in pending(), 60)
        before = pending()
        first.close()
        assert until(lambda: bool(running.query(f'up{{instance="{target}"}} == 0')), 60)
        second = Exporter(config.model_copy(update={"port": port}))
        second.start()
        try:
            assert until(lambda: bool(running.query('lccp_trained_tokens{pod="exporter-1"}')), 60)
            until(lambda: before.items() <= pending().items(), 20)
            assert {name: pending().get(name) for name in before} == before
        finally:
            second.close()
