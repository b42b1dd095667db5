"""A real training on a real cluster that is disturbed learns exactly what it learns undisturbed."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from helm import Helm
from operator_process import wait_for
from product import BUCKET_PREFIX, Product, demo, installed

from lccp.api import labels
from lccp.api.objects.journal import Journal
from lccp.api.objects.training import Heartbeat, StepRecord
from lccp.store import objects
from lccp.store.keys import RunKeys
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_operator.kubernetes import api

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(900)]

STEPS, STEP_TOKENS = 100, 4_096
SUSPENDED_AFTER_STEPS = 10
STEADY, DISTURBED = "steady", "disturbed"
STORE_GONE_SECONDS, NAMED_WITHIN_SECONDS = 60.0, 30.0
LONG_SECONDS = 300.0


def short(name: str) -> dict[str, Any]:
    """The demo's run with a small budget, and one evaluation, as cheap as can be."""
    run = demo()
    run["metadata"]["name"] = name
    spec, budget = run["spec"], STEPS * STEP_TOKENS
    del spec["saturation"]
    spec["training"]["tokens"] = budget
    spec["checkpoints"] |= {"everyTokens": budget, "atTokens": []}
    spec["topology"]["resources"] = {"requests": {"cpu": "100m", "memory": "512Mi"}}
    spec["topology"]["env"] = [{"name": "OMP_NUM_THREADS", "value": "1"}]
    spec["evaluation"]["baseline"] = False
    least = {"lengths": [512], "depthsPercent": [50], "haystacks": 2, "needlesPerHaystack": 1}
    spec["evaluation"]["probes"]["niah"] |= least
    return run


@dataclass(frozen=True)
class Watch:
    """One of the runs, as its object and its store show it."""

    product: Product
    store: Store
    name: str

    @property
    def keys(self) -> RunKeys:
        return RunKeys(self.product.runs.name, self.name)

    def steps(self) -> int:
        """How far its trainer is."""
        found = self._found("heartbeat.json")
        beats = [objects.read(self.store, key, Heartbeat) for key in found]
        return max((beat.step for beat in beats), default=0)

    def is_far(self) -> bool:
        return self.steps() >= SUSPENDED_AFTER_STEPS

    def histories(self) -> list[list[StepRecord]]:
        """What each of its writers logged, in the order of the attempts."""
        texts = [self.store.get(key).decode() for key in self._found("history.jsonl")]
        return [[StepRecord.model_validate_json(s) for s in t.splitlines()] for t in texts]

    def causes(self) -> list[str]:
        journal = objects.read(self.store, self.keys.journal, Journal)
        return [str(attempt.cause) for attempt in journal.attempts]

    def attempts(self) -> list[dict[str, Any]]:
        """Those that its status tells of."""
        found: list[dict[str, Any]] = self.product.runs.run(self.name)["status"]["attempts"]
        return found

    def wait(self, type_: str, *wanted: str, seconds: float = LONG_SECONDS) -> dict[str, Any]:
        found: dict[str, Any] = self.product.runs.wait_condition(
            self.name, type_, *wanted, seconds=seconds
        )
        return found

    def patch(self, patch: dict[str, Any], subresource: str = "") -> None:
        runs = self.product.runs
        runs.api.patch(api.RUNS, runs.name, self.name, patch, subresource)

    def workloads(self) -> dict[str, str]:
        """Its Jobs and Services, with their UIDs."""
        selector = f"--selector={labels.RUN}={self.name}"
        found = json.loads(self.product.get("jobs,services", selector, "--output=json"))["items"]
        return {f"{o['kind']} {o['metadata']['name']}": o["metadata"]["uid"] for o in found}

    def _found(self, name: str) -> list[str]:
        infos = self.store.list(self.keys.trainings)
        return [info.key for info in infos if info.key.endswith(f"/{name}")]


@pytest.fixture(scope="module")
def product(
    kubeconfig: Path, helm: Helm, images: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("training")
    with installed(helm, kubeconfig, "lccp-training", folder, confined=True) as made:
        yield made


@pytest.fixture(scope="module")
def both(product: Product, tmp_path_factory: pytest.TempPathFactory) -> tuple[Watch, Watch]:
    """Two runs alike, begun at once: one is left in peace."""
    keys = product.store.credentials(tmp_path_factory.mktemp("keys"))
    store = open_store(product.store.config(BUCKET_PREFIX, keys))
    for name in (STEADY, DISTURBED):
        product.apply(short(name))
    return Watch(product, store, STEADY), Watch(product, store, DISTURBED)


def test_a_suspended_run_ends_its_pods_and_goes_on(both: tuple[Watch, Watch]) -> None:
    steady, disturbed = both
    wait_for(disturbed.is_far, "it does not train", seconds=LONG_SECONDS)

    disturbed.patch({"spec": {"suspend": True}})
    disturbed.wait("Suspended", "True")
    assert disturbed.steps() < STEPS
    assert disturbed.causes() == ["Drained"]

    steady.wait("Succeeded", "True")
    disturbed.patch({"spec": {"suspend": False}})
    disturbed.wait("Training", "Running")


def test_an_emptied_status_is_rebuilt_and_nothing_is_begun_anew(both: tuple[Watch, Watch]) -> None:
    _, disturbed = both
    workloads = disturbed.workloads()

    disturbed.patch({"status": None}, "status")

    disturbed.wait("Training", "Running")
    assert [attempt["number"] for attempt in disturbed.attempts()] == [1, 2]
    assert disturbed.workloads() == workloads


def test_a_store_that_is_gone_for_a_minute_is_not_taken_for_empty(
    product: Product, both: tuple[Watch, Watch]
) -> None:
    _, disturbed = both
    workloads, attempts = disturbed.workloads(), disturbed.attempts()
    product.store.kill()
    gone_at = time.monotonic()

    named = disturbed.wait("Degraded", "StoreUnreachable", seconds=NAMED_WITHIN_SECONDS)
    assert named["status"] == "True"
    assert "nothing is started or judged until it answers" in named["message"]
    while time.monotonic() < gone_at + STORE_GONE_SECONDS:
        assert disturbed.workloads() == workloads
        assert disturbed.attempts() == attempts
        assert product.runs.conditions(DISTURBED)["Training"]["status"] == "True"
        time.sleep(1)

    product.store.start()
    disturbed.wait("Succeeded", "True")
    disturbed.wait("Degraded", "False")


def test_both_learned_exactly_the_same(both: tuple[Watch, Watch]) -> None:
    (whole,), (before, after) = (one.histories() for one in both)
    assert [record.step for record in whole] == list(range(1, STEPS + 1))
    assert SUSPENDED_AFTER_STEPS <= len(before) < STEPS
    assert learned([*before, *after]) == learned(whole)
    assert both[0].causes() == ["Completed"]
    assert both[1].causes() == ["Drained", "Completed"]


def learned(records: list[StepRecord]) -> list[tuple[int, int, float, float | None]]:
    return [(r.step, r.tokens, r.loss, r.gradient_norm) for r in records]
