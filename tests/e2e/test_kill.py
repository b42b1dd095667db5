"""Whatever happens to the operator, the run ends the same: nothing twice, nothing lost.

It is killed after each of its API writes, one by one, cut off from the API server, and stopped in
the middle of its work while another takes over.
"""

import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from a_cluster import Namespace
from api_proxy import ApiProxy, api_proxy
from operator_process import OperatorProcess, installation, wait_for
from operator_world import EVERY_TOKENS
from outcome import Outcome, ended
from stub_cluster import StubCluster

from lccp_operator.kubernetes import api

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]

AT_ONCE = 4
CHECKPOINTS = [EVERY_TOKENS, 2 * EVERY_TOKENS]
END_SECONDS = 120.0
GONE_SECONDS, CUT_AFTER_WRITE = 30.0, 3
STOPPED_SECONDS = 30.0
STOPPED_AT = ("jobs/tiny-train", "tiny/status", "events/tiny", "jobs/tiny-eval")
"""Parts of the paths of the writes at the first of which a leader is stopped."""


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
        return ended(self.namespace)


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
            namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")


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
        return Undisturbed(Outcome.of(stubs, made.namespace), writes)


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
        return Outcome.of(stubs, made.namespace)


def test_a_run_ends_the_same_wherever_the_operator_is_killed(
    stubs: StubCluster, kubeconfig: Path, tmp_path: Path, undisturbed: Undisturbed
) -> None:
    points = range(1, len(undisturbed.writes) + 1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = pool.map(lambda n: killed(stubs, kubeconfig, tmp_path / str(n), n), points)
        differing = {
            f"after write {n} ({write})": end.differences(undisturbed.outcome)
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
        assert Outcome.of(stubs, made.namespace) == undisturbed.outcome


@dataclass
class Stopping:
    """A leader, behind a proxy that stops it for a while at a write, and its standby.

    It is stopped when the write is done, or, if it comes `late`, when it was sent; it is then done
    at the moment at which the leader goes on.
    """

    namespace: Namespace
    proxy: ApiProxy
    leader: OperatorProcess
    standby: OperatorProcess
    stop_at: str
    late: bool
    stopped_after: int | None = None
    """Writes that were done."""
    woken: threading.Event = field(default_factory=threading.Event)
    landed: threading.Event = field(default_factory=threading.Event)
    """The late write was done."""

    @contextmanager
    def writing(self, write: str) -> Iterator[None]:
        held = self.late and self.stop_at in write and self._stop()
        if held:
            self.woken.wait(2 * STOPPED_SECONDS)
        yield
        if held:
            self.landed.set()

    def wrote(self, number: int) -> None:
        if not self.late and self.stop_at in self.proxy.writes[number - 1]:
            self._stop()

    def wake(self) -> None:
        self.leader.signal(signal.SIGCONT)
        self.woken.set()

    def run_to_its_end(self) -> None:
        """Until the run has ended, and the leader that woke up knows that it leads no more."""
        log = self.standby.log
        wait_for(lambda: ended(self.namespace), "the run did not end", log, END_SECONDS)
        assert self.woken.wait(STOPPED_SECONDS), f"there was no write of {self.stop_at}"
        wait_for(lambda: "lccp_leading 0.0" in self.leader.get("/metrics")[1], "it still leads")
        assert not self.late or self.landed.wait(STOPPED_SECONDS), "the late write did not land"
        wait_for(lambda: ended(self.namespace), "the end does not last", log)

    @property
    def written(self) -> list[str]:
        """What the leader wrote since it was stopped."""
        return self.proxy.writes[self.stopped_after :]

    def _stop(self) -> bool:
        """False if it was stopped before."""
        with self.proxy.lock:
            if self.stopped_after is not None:
                return False
            self.stopped_after = len(self.proxy.writes)
        self.leader.freeze()
        threading.Timer(STOPPED_SECONDS, self.wake).start()
        return True


@contextmanager
def stopping(
    stubs: StubCluster, kubeconfig: Path, folder: Path, stop_at: str, late: bool
) -> Iterator[Stopping]:
    namespace = stubs.namespace()
    lease = {"name": "lccp", "namespace": namespace.name}
    settings = installation(stubs.root, namespaces=[namespace.name], lease=lease)
    folders = folder / "leader", folder / "standby"
    for one in folders:
        one.mkdir(parents=True)
    with api_proxy(kubeconfig) as proxy:
        behind = proxy.kubeconfig(folder / "kubeconfig")
        leader = OperatorProcess(folders[0], behind, settings)
        standby = OperatorProcess(folders[1], kubeconfig, settings)
        made = Stopping(namespace, proxy, leader, standby, stop_at, late)
        proxy.around_write, proxy.after_write = made.writing, made.wrote
        try:
            leader.start()
            wait_for(lambda: leader.metric("lccp_leading") == 1, "nobody leads", leader.log)
            standby.start().wait_ready()
            yield made
        finally:
            for replica in (leader, standby):
                replica.kill()
            namespace.api.call("DELETE", f"/api/v1/namespaces/{namespace.name}")


def stopped(
    stubs: StubCluster, kubeconfig: Path, folder: Path, stop_at: str, late: bool
) -> tuple[Outcome, list[str]]:
    """How the run ended, and what the leader wrote after it was stopped."""
    with stopping(stubs, kubeconfig, folder, stop_at, late) as made:
        made.namespace.create_run(stubs.document(made.namespace))
        made.run_to_its_end()
        return Outcome.of(stubs, made.namespace), made.written


@pytest.mark.parametrize("late", [False, True], ids=["written", "on its way"])
def test_a_run_ends_the_same_though_its_leader_stops_for_half_a_minute(
    stubs: StubCluster, kubeconfig: Path, tmp_path: Path, undisturbed: Undisturbed, late: bool
) -> None:
    def stop_at(n: int) -> tuple[Outcome, list[str]]:
        return stopped(stubs, kubeconfig, tmp_path / str(n), STOPPED_AT[n], late)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ends = list(pool.map(stop_at, range(len(STOPPED_AT))))
    for write, (end, written) in zip(STOPPED_AT, ends, strict=True):
        assert written == [] or (late and write in written[0]), write
        assert end.once().differences(undisturbed.outcome) == {}, write
