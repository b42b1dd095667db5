"""Two candidates for one Lease, by a test's clock, and as processes."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from a_cluster import JobPlayer, Namespace, connect, run_document
from api_proxy import ApiProxy, Fault
from apiserver import ApiServer
from operator_process import OperatorProcess, installation, wait_for

from lccp.contract.errors import Conflict
from lccp_operator.kubernetes import api
from lccp_operator.kubernetes.installation import LeaseSettings
from lccp_operator.kubernetes.lease import Leadership

pytestmark = pytest.mark.apiserver

DURATION, RENEW = 12, 3
TAKEN_OVER_WITHIN_SECONDS = 20.0
TRAINING = "tiny-train-a1"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Candidates:
    """Two replicas that try for the Lease when the test says so."""

    def __init__(self, namespace: Namespace) -> None:
        self.namespace = namespace
        self.clock = Clock()
        settings = LeaseSettings(name="lccp", namespace=namespace.name)
        self.one, self.two = (
            Leadership(namespace.api, settings, identity, self.clock) for identity in ("one", "two")
        )

    def pass_time(self, *trying: Leadership, seconds: float) -> None:
        """Those that try do so every three seconds."""
        for _ in range(round(seconds / RENEW)):
            self.clock.now += RENEW
            for candidate in trying:
                candidate.renew()

    @property
    def holder(self) -> str:
        spec = self.namespace.api.get(api.LEASES, self.namespace.name, "lccp")["spec"]
        return str(spec["holderIdentity"])


@pytest.fixture
def candidates(namespace: Namespace) -> Candidates:
    made = Candidates(namespace)
    made.one.renew()
    made.two.renew()
    return made


def may_write(candidate: Leadership) -> bool:
    try:
        candidate.guard()
    except Conflict:
        return False
    return True


def test_the_first_leads_as_long_as_it_renews(candidates: Candidates) -> None:
    candidates.pass_time(candidates.one, candidates.two, seconds=60)

    assert candidates.holder == "one"
    assert (may_write(candidates.one), may_write(candidates.two)) == (True, False)


def test_another_takes_over_from_one_that_fell_silent_and_no_sooner(candidates: Candidates) -> None:
    candidates.pass_time(candidates.two, seconds=DURATION)
    assert candidates.holder == "one"
    assert not may_write(candidates.one)

    candidates.pass_time(candidates.two, seconds=RENEW)
    assert candidates.holder == "two"
    assert may_write(candidates.two)


def test_a_holder_that_somebody_wrote_for_decades_is_waited_for_less_than_half_a_minute(
    candidates: Candidates, caplog: pytest.LogCaptureFixture
) -> None:
    forged = {"spec": {"holderIdentity": "ghost", "leaseDurationSeconds": 2**31 - 1}}
    candidates.namespace.api.patch(api.LEASES, candidates.namespace.name, "lccp", forged)

    candidates.pass_time(candidates.two, seconds=24)
    assert candidates.holder == "ghost"
    assert "ghost holds it, and has not renewed it for" in caplog.text

    candidates.pass_time(candidates.two, seconds=2 * RENEW)
    assert candidates.holder == "two"


def test_a_lease_that_changed_hands_as_often_as_can_be_counted_is_taken(
    candidates: Candidates,
) -> None:
    forged = {"spec": {"holderIdentity": "ghost", "leaseTransitions": 2**31 - 1}}
    candidates.namespace.api.patch(api.LEASES, candidates.namespace.name, "lccp", forged)

    candidates.pass_time(candidates.two, seconds=DURATION + 2 * RENEW)

    assert candidates.holder == "two"
    assert may_write(candidates.two)


def test_a_replica_says_why_it_can_t_take_the_lease_until_it_can(
    namespace: Namespace, proxy: ApiProxy, tmp_path: Path, root: Path
) -> None:
    lease = {"name": "lccp", "namespace": namespace.name, "durationSeconds": 3, "renewSeconds": 1}
    settings = installation(root, namespaces=[namespace.name], lease=lease)
    refused = Fault("POST", "/leases", 403, body={"message": "no Leases here"})
    proxy.faults.extend([refused] * 8)
    process = OperatorProcess(tmp_path, proxy.kubeconfig(tmp_path / "kubeconfig"), settings).start()
    try:
        wait_for(lambda: "lease lccp: " in process.get("/readyz")[1], "it is not told")
        assert "no Leases here" in process.get("/readyz")[1]
        process.wait_ready()
    finally:
        process.kill()


@pytest.mark.parametrize(("minutes", "takes"), [(-10, False), (0, False), (10, True)])
def test_a_new_replica_takes_at_once_what_the_api_server_dates_long_ago(
    candidates: Candidates, proxy: ApiProxy, proxied: api.Cluster, minutes: int, takes: bool
) -> None:
    later = datetime.now(UTC) + timedelta(minutes=minutes)
    dated = {"Date": format_datetime(later, usegmt=True)}
    proxy.faults.append(Fault("GET", "/nodes", 200, dated))
    proxied.call("GET", "/api/v1/nodes")
    settings = LeaseSettings(name="lccp", namespace=candidates.namespace.name)

    Leadership(proxied, settings, "new", candidates.clock).renew()

    assert candidates.holder == ("new" if takes else "one")


def test_at_no_time_do_both_write(candidates: Candidates) -> None:
    for _ in range(20):
        candidates.pass_time(candidates.two, seconds=RENEW)
        assert not (may_write(candidates.one) and may_write(candidates.two))


def test_one_that_wakes_up_does_not_write_and_waits_its_turn(candidates: Candidates) -> None:
    candidates.pass_time(candidates.two, seconds=30)

    assert not may_write(candidates.one)
    candidates.pass_time(candidates.one, candidates.two, seconds=30)
    assert candidates.holder == "two"


def test_one_that_ends_hands_over_at_once(candidates: Candidates) -> None:
    stop = threading.Event()
    stop.set()
    candidates.one.run(stop)
    assert candidates.holder == ""

    candidates.pass_time(candidates.two, seconds=RENEW)
    assert candidates.holder == "two"


@pytest.fixture
def replicas(
    server: ApiServer, proxy: ApiProxy, namespace: Namespace, tmp_path: Path, root: Path
) -> Iterator[list[OperatorProcess]]:
    """A leader, behind a proxy, and a standby, of one namespace."""
    lease = {"name": "lccp", "namespace": namespace.name}
    settings = installation(root, namespaces=[namespace.name], lease=lease)
    kubeconfigs = (proxy.kubeconfig(tmp_path / "proxied"), server.kubeconfig)
    made = [OperatorProcess(tmp_path, path, settings).start() for path in kubeconfigs[:1]]
    wait_for(lambda: made[0].wait_ready().metric("lccp_leading") == 1, "nobody leads")
    made.append(OperatorProcess(tmp_path, kubeconfigs[1], settings).start().wait_ready())
    yield made
    for process in made:
        process.kill()


def seconds_until(true: Callable[[], bool]) -> float:
    started = time.monotonic()
    wait_for(true, "it did not take over")
    return time.monotonic() - started


@pytest.mark.long
def test_whoever_leads_next_tells_of_a_run_that_is_deleted_while_nobody_does(
    replicas: list[OperatorProcess], namespace: Namespace
) -> None:
    leader, standby = replicas
    namespace.create_run(run_document("tiny"))
    namespace.wait_condition("tiny", "Accepted", "True")

    leader.freeze()
    namespace.delete_run("tiny")

    deleted = f'lccp_run_deleted{{namespace="{namespace.name}",run="tiny"}}'
    wait_for(lambda: standby.metric(deleted) == 1, "it is not told", seconds=60)


@pytest.mark.long
def test_a_leader_that_stops_for_a_while_does_no_harm_and_one_that_is_killed_is_replaced(
    replicas: list[OperatorProcess], proxy: ApiProxy, namespace: Namespace, root: Path
) -> None:
    leader, standby = replicas
    stopped = threading.Event()

    def stop(_: int) -> None:
        if "status" in proxy.writes[-1] and not stopped.is_set():
            leader.freeze()
            stopped.set()

    proxy.after_write = stop
    namespace.create_run(run_document("tiny"))
    assert stopped.wait(20), "the leader wrote nothing"
    written = len(proxy.writes)
    jobs = JobPlayer(namespace)
    jobs.start(TRAINING)
    assert seconds_until(lambda: standby.metric("lccp_leading") == 1) < TAKEN_OVER_WITHIN_SECONDS
    namespace.wait_condition("tiny", "Training", "True")

    leader.signal(signal.SIGCONT)
    jobs.end(TRAINING, 70, 3)
    jobs.start("tiny-train-a2")
    wait_for(lambda: "AttemptFailed" in namespace.events("tiny"), "its end is not told")
    namespace.wait_condition("tiny", "Training", "True")
    wait_for(lambda: "lccp_leading 0.0" in leader.get("/metrics")[1], "it still leads")
    assert proxy.writes[written:] == []
    assert len(namespace.jobs()) == 2
    told = namespace.events("tiny")
    assert told.count("AttemptFailed") == 1

    standby.kill()
    assert seconds_until(lambda: leader.metric("lccp_leading") == 1) < TAKEN_OVER_WITHIN_SECONDS
    jobs.end("tiny-train-a2", 64, 1)
    namespace.wait_condition("tiny", "Failed", "True")
    assert leader.stop() == 0
    lease = connect(leader.kubeconfig).get(api.LEASES, namespace.name, "lccp")
    assert lease["spec"]["holderIdentity"] == ""
