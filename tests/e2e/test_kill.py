"""Whatever happens to the operator, the run ends the same: nothing twice, nothing lost.

It is killed after each of its API writes, one by one, and cut off from the API server.
"""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from api_proxy import ApiProxy, api_proxy
from operator_process import OperatorProcess, installation, wait_for
from operator_world import EVERY_TOKENS
from stub_cluster import StubCluster

from lccp_operator.kubernetes import cluster as api

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

AT_ONCE = 4
CHECKPOINTS = [EVERY_TOKENS, 2 * EVERY_TOKENS]
END_SECONDS = 120.0
GONE_SECONDS, CUT_AFTER_WRITE = 30.0, 3


@dataclass(frozen=True)
class Outcome:
    """How a run ended: what must be the same whatever happened to the operator."""

    conditions: dict[str, tuple[str, str]]
    attempts: list[str]
    checkpoints: list[Any]
    evaluated: list[int]
    tries: list[int]
    jobs: set[str]


def outcome(stubs: StubCluster, namespace: Namespace) -> Outcome:
    journal = namespace.journal("tiny")
    found = namespace.conditions("tiny")
    return Outcome(
        conditions={name: (c["status"], c["reason"]) for name, c in found.items()},
        attempts=[str(attempt.cause) for attempt in journal.attempts],
        checkpoints=namespace.run("tiny")["status"]["checkpoints"],
        evaluated=stubs.evaluated(namespace),
        tries=[evaluation.tries for evaluation in journal.evaluations.values()],
        jobs={job["metadata"]["name"] for job in namespace.jobs()},
    )


def differences(end: Outcome, wanted: Outcome) -> dict[str, tuple[Any, Any]]:
    names = (field.name for field in fields(Outcome))
    pairs = {name: (getattr(end, name), getattr(wanted, name)) for name in names}
    return {name: (there, right) for name, (there, right) in pairs.items() if there != right}


@dataclass
class Killing:
    """An operator of one namespace, behind a proxy that kills it after a write."""

    namespace: Namespace
    proxy: ApiProxy
    operator: OperatorProcess
    kill_after: int | None = None

    def wrote(self, number: int) -> None:
        if number == self.kill_after:
            self.operator.kill()

    def run_to_its_end(self) -> None:
        """Start the operator, again whenever it was killed, until the run has ended."""
        try:
            wait_for(self._ended, "the run did not end", self.operator.log, END_SECONDS)
        except AssertionError as error:
            self.operator.signal(signal.SIGUSR1)
            raise AssertionError(f"{error}\n{self._state()}") from None

    def _state(self) -> Any:
        pods = self.namespace.api.list(api.PODS, self.namespace.name)
        told = [(pod["metadata"]["name"], pod["status"]) for pod in pods]
        return self.namespace.conditions("tiny"), told, self.operator.get("/metrics")[1]

    def _ended(self) -> bool:
        process = self.operator.process
        if process is None or not process.is_alive():
            self.operator.start()
        found = self.namespace.conditions("tiny")
        reasons = {found.get(type_, {}).get("reason") for type_ in ("Succeeded", "Evaluating")}
        return reasons == {"Completed", "UpToDate"} and len(self.namespace.jobs()) == 1


@contextmanager
def killing(
    stubs: StubCluster, kubeconfig: Path, folder: Path, kill_after: int | None = None
) -> Iterator[Killing]:
    namespace = stubs.namespace()
    settings = installation(stubs.root, namespaces=[namespace.name])
    with api_proxy(kubeconfig) as proxy:
        folder.mkdir()
        operator = OperatorProcess(folder, proxy.kubeconfig(folder / "kubeconfig"), settings)
        made = Killing(namespace, proxy, operator, kill_after)
        proxy.after_write = made.wrote
        try:
            yield made
        finally:
            operator.kill()
            namespace.api._call("DELETE", f"/api/v1/namespaces/{namespace.name}")


@dataclass(frozen=True)
class Undisturbed:
    """How the run ends by itself, and the writes that it took."""

    outcome: Outcome
    writes: list[str]


@pytest.fixture(scope="module")
def undisturbed(
    stubs: StubCluster, kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed") / "operator"
    with killing(stubs, kubeconfig, folder) as made:
        made.namespace.create_run(stubs.document(made.namespace))
        made.run_to_its_end()
        writes = [line.rpartition("/namespaces/")[2] for line in made.proxy.writes]
        return Undisturbed(outcome(stubs, made.namespace), writes)


def test_an_undisturbed_run_does_everything_once(undisturbed: Undisturbed) -> None:
    end = undisturbed.outcome
    assert end.conditions["Succeeded"] == ("True", "Completed")
    assert end.attempts == ["Completed"]
    assert (end.evaluated, end.tries) == (CHECKPOINTS, [1, 1])
    assert end.jobs == {"tiny-train-a1"}


def killed(stubs: StubCluster, kubeconfig: Path, folder: Path, kill_after: int) -> Outcome:
    with killing(stubs, kubeconfig, folder, kill_after) as made:
        made.namespace.create_run(stubs.document(made.namespace))
        made.run_to_its_end()
        return outcome(stubs, made.namespace)


def test_a_run_ends_the_same_wherever_the_operator_is_killed(
    stubs: StubCluster, kubeconfig: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    points = range(1, len(undisturbed.writes) + 1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = pool.map(lambda n: killed(stubs, kubeconfig, tmp_path / str(n), n), points)
        differing = {
            f"after write {n} ({write})": differences(end, undisturbed.outcome)
            for n, write, end in zip(points, undisturbed.writes, ends, strict=True)
            if end != undisturbed.outcome
        }
    assert not differing


def test_a_run_ends_the_same_when_the_api_server_is_gone_for_half_a_minute(
    stubs: StubCluster, kubeconfig: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    with killing(stubs, kubeconfig, tmp_path / "operator") as made:
        back = threading.Timer(GONE_SECONDS, lambda: setattr(made.proxy, "down", False))

        def cut(number: int) -> None:
            if number == CUT_AFTER_WRITE:
                made.proxy.down = True
                back.start()

        made.proxy.after_write = cut
        made.namespace.create_run(stubs.document(made.namespace))
        made.run_to_its_end()
        back.join()
        assert outcome(stubs, made.namespace) == undisturbed.outcome
