from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planned import CONFIG, planned

from lccp.cost.architecture import Architecture
from lccp.cost.compatibility import refusals
from lccp.cost.planning.advice import with_nodes
from lccp.cost.planning.devices import DEVICES, DeviceCluster
from lccp.cost.planning.layouts import Candidate, fitting, layouts_that_fit, variants
from lccp.cost.scratch import GIBIBYTE

MODEL = Architecture.from_config(CONFIG)
devices = st.sampled_from(sorted(DEVICES)).map(DEVICES.__getitem__)
clusters = st.builds(
    DeviceCluster,
    devices,
    devices_per_node=st.just(4),
    efficiency=st.floats(0.1, 1.0),
    network=st.floats(1e9, 1e12),
    host_bytes=st.none() | st.integers(0, 2**40),
)
few = settings(max_examples=8, deadline=None)


def test_every_variant_is_one_that_the_trainer_takes() -> None:
    found = list(variants(planned(), CONFIG))
    assert [refusals(one.spec, CONFIG) for one in found] == [[]] * len(found)
    laid_out = {one.spec.training.model_dump_json() for one in found}
    assert len(laid_out) == len(found)


def test_the_manifest_s_own_layout_is_among_the_variants() -> None:
    own = planned(activationCheckpointing=True, microBatchSize=4, deepspeed={"zeroStage": 2})
    assert own in list(variants(own, CONFIG))


def test_a_dense_model_gets_no_expert_parallelism() -> None:
    dense = CONFIG | {"model_type": "qwen3"}
    sizes = {v.spec.training.deepspeed.expert_parallel_size for v in variants(planned(), dense)}
    assert sizes == {1}


@pytest.mark.slow
@few
@given(cluster=clusters, nodes=st.sampled_from([1, 2, 4]))
def test_no_layout_is_offered_that_is_too_large_and_the_fastest_comes_first(
    cluster: DeviceCluster, nodes: int
) -> None:
    offered = layouts_that_fit(planned(nodes), CONFIG, cluster)
    for one in offered:
        assert one.memory.device <= 0.9 * cluster.device.memory_bytes
        assert cluster.host_bytes is None or one.host_bytes <= cluster.host_bytes
    times = [one.step.seconds for one in offered]
    assert times == sorted(times)
    assert all(0 < one.utilisation <= cluster.efficiency + 1e-9 for one in offered)


@few
@given(
    cluster=clusters,
    stage=st.integers(1, 3),
    sequence=st.sampled_from([1, 2, 4]),
    experts=st.sampled_from([1, 2]),
    recomputed=st.booleans(),
)
def test_more_nodes_compute_sooner_hold_no_more_and_cost_no_less(
    cluster: DeviceCluster, stage: int, sequence: int, experts: int, recomputed: bool
) -> None:
    run = planned(
        activationCheckpointing=recomputed,
        deepspeed={
            "zeroStage": stage,
            "sequenceParallelSize": sequence,
            "expertParallelSize": experts,
        },
    )
    found = [Candidate.of(with_nodes(run, nodes), MODEL, cluster) for nodes in (1, 2, 4, 8)]
    for fewer, more in pairwise(found):
        assert more.step.computing < fewer.step.computing
        assert more.memory.device <= fewer.memory.device
        assert more.accelerator_hours >= fewer.accelerator_hours * (1 - 1e-9)


def test_time_and_hours_follow_from_the_speed() -> None:
    cluster = DeviceCluster(DEVICES["h100-80g"], 4, efficiency=0.4)
    one = Candidate.of(planned(), MODEL, cluster)
    assert one.tokens_per_second == pytest.approx(64 * 32_768 / one.step.seconds)
    assert one.hours == pytest.approx(1e9 / one.tokens_per_second / 3_600)
    assert one.accelerator_hours == pytest.approx(4 * one.hours)
    unhindered = replace(one, step=replace(one.step, collectives=0.0, exchanges=0.0, host=0.0))
    assert unhindered.utilisation == pytest.approx(0.4)


def host(nodes: int = 1, processes: int = 4, **deepspeed: Any) -> int:
    """Memory of the first node, in bytes."""
    run = planned(nodes, processes, deepspeed={"zeroStage": 3} | deepspeed)
    return Candidate.of(run, MODEL, DeviceCluster(DEVICES["h100-80g"], processes)).host_bytes


def test_a_save_is_copied_to_the_memory_of_hosts_beside_an_offloaded_optimizer() -> None:
    checkpoint, state = 2 * MODEL.parameters, 12 * MODEL.parameters
    assert host() == checkpoint + state
    assert host(nodes=4) == pytest.approx(checkpoint + state / 4, abs=4)
    # Moments and FP32 weights, and the gradients that are staged beside them.
    assert host(offloadOptimizer="CPU") == pytest.approx(checkpoint + 2 * state + state / 3, abs=99)


def test_below_stage_3_every_process_loads_the_whole_model() -> None:
    each = 2 * MODEL.parameters
    assert host(nodes=4, processes=8, zeroStage=2) == 8 * each
    assert host(nodes=4, processes=8) < 3 * each


def test_a_host_that_is_too_small_takes_no_optimizer() -> None:
    room = host() + GIBIBYTE
    cluster = DeviceCluster(DEVICES["a100-40g"], 4, host_bytes=room)
    offloaded = [one.training.offload_optimizer for one in fitting(planned(), CONFIG, cluster)]
    assert offloaded
    assert not any(offloaded)
    roomy = replace(cluster, host_bytes=None)
    assert any(one.training.offload_optimizer for one in fitting(planned(), CONFIG, roomy))
