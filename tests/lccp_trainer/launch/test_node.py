"""A machine's part of the gang."""

import pytest

from lccp.api.spec.topology import TopologySpec
from lccp.contract.errors import InvalidInput
from lccp_trainer.launch.node import MEETING_AFTER_FETCH_SECONDS, Node

TOPOLOGY = TopologySpec(nodes=3, processes_per_node=4)


def node(**environ: str) -> Node:
    return Node.of(TOPOLOGY, environ)


def test_without_a_rendezvous_all_processes_run_here() -> None:
    alone = node()

    assert (alone.processes, alone.number, alone.nodes) == (12, 0, 1)
    arguments = alone.torchrun_arguments(grace_seconds=60)
    assert "--standalone" in arguments
    assert "--nnodes" not in arguments


def test_a_pod_is_one_node_and_knows_where_the_first_one_is() -> None:
    second = node(LCCP_RENDEZVOUS="train-0.train:29400", JOB_COMPLETION_INDEX="2")

    arguments = second.torchrun_arguments(grace_seconds=60)
    told = dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert told == {
        "--nproc-per-node": "4",
        "--max-restarts": "0",
        "--shutdown-timeout": "50",
        "--nnodes": "3",
        "--node-rank": "2",
        "--rdzv-conf": "timeout=600",
        "--master-addr": "train-0.train",
        "--master-port": "29400",
    }


def test_a_node_that_fetched_waits_longer_for_the_others() -> None:
    second = node(LCCP_RENDEZVOUS="train-0.train:29400", JOB_COMPLETION_INDEX="2")

    arguments = second.torchrun_arguments(60, MEETING_AFTER_FETCH_SECONDS)
    assert arguments[arguments.index("--rdzv-conf") + 1] == "timeout=3600"


def test_a_short_grace_period_leaves_a_second_to_end() -> None:
    arguments = node().torchrun_arguments(grace_seconds=3)

    assert arguments[arguments.index("--shutdown-timeout") + 1] == "1"


@pytest.mark.parametrize(
    ("rendezvous", "number", "sentence"),
    [
        ("host:29400", "3", "below topology.nodes .3., not 'host:29400' and 3"),
        ("host", "0", "LCCP_RENDEZVOUS must be host:port"),
        ("host:29400", "-1", "JOB_COMPLETION_INDEX must be a number, not '-1'"),
    ],
)
def test_a_place_that_the_gang_lacks_is_refused(
    rendezvous: str, number: str, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        node(LCCP_RENDEZVOUS=rendezvous, JOB_COMPLETION_INDEX=number)
