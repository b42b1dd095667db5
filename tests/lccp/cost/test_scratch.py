"""What a save takes on a node's disk, and limits that are less."""

from typing import Any

import pytest

from lccp.api.run import LCCPRunSpec
from lccp.cost.scratch import refusal, scratch_bytes

PARAMETERS = 2**30
"""A checkpoint has 2 GiB in BF16, a state 12 GiB."""


def a_spec(nodes: int = 1, precision: str = "BF16", **topology: Any) -> LCCPRunSpec:
    document: dict[str, Any] = {
        "model": {"source": "m", "targetContextLength": 1_024},
        "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
        "training": {
            "tokens": "1M",
            "globalBatchTokens": 24_576,
            "learningRate": "1e-3",
            "precision": precision,
        },
        "topology": {"nodes": nodes} | topology,
        "checkpoints": {"everyTokens": "1M"},
    }
    return LCCPRunSpec.parse(document, "spec")


def limited(limit: str, nodes: int = 1, **topology: Any) -> LCCPRunSpec:
    return a_spec(nodes, resources={"limits": {"ephemeral-storage": limit}}, **topology)


def test_a_checkpoint_lies_on_the_first_pod_and_a_state_on_all() -> None:
    assert scratch_bytes(10, a_spec()) == 10 * 2 + 10 * 12
    assert scratch_bytes(10, a_spec(nodes=4)) == 10 * 2 + 10 * 12 // 4
    assert scratch_bytes(10, a_spec(precision="FP32")) == 10 * 4 + 10 * 12


@pytest.mark.parametrize(("limit", "nodes", "least"), [("13Gi", 1, "14Gi"), ("4G", 4, "5Gi")])
def test_a_limit_that_no_save_fits_is_refused_with_one_that_does(
    limit: str, nodes: int, least: str
) -> None:
    told = refusal(PARAMETERS, limited(limit, nodes))

    assert told is not None
    assert told.startswith(f"topology.resources.limits.ephemeral-storage: {limit} is too small ")
    assert f"take at least {least}," in told
    assert refusal(PARAMETERS, limited(least, nodes)) is None


def test_without_a_limit_or_with_scratch_on_another_volume_nothing_is_refused() -> None:
    volume = {"name": "scratch", "persistentVolumeClaim": {"claimName": "mine"}}
    elsewhere = limited("1Gi", podTemplate={"spec": {"volumes": [volume]}})

    assert refusal(PARAMETERS, a_spec()) is None
    assert refusal(PARAMETERS, elsewhere) is None


def test_volumes_that_are_no_list_are_left_for_the_pods_to_refuse() -> None:
    formless = limited("1Gi", podTemplate={"spec": {"volumes": 5}})

    assert refusal(PARAMETERS, formless) == refusal(PARAMETERS, limited("1Gi"))
