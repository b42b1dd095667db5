from dataclasses import replace

import pytest
from planned import CONFIG, manifest, planned

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp.cost.planning.advice import TrainingPlan, with_nodes
from lccp.cost.planning.devices import DEVICES, DeviceCluster

SMALL = DeviceCluster(DEVICES["a100-40g"], 4)
NODE = DeviceCluster(DEVICES["h100-80g"], 1)
LARGE = CONFIG | {"hidden_size": 8_192, "moe_intermediate_size": 2_048}


def test_a_layout_that_fits_needs_no_advice() -> None:
    run = planned(activationCheckpointing=True, deepspeed={"zeroStage": 3})
    plan = TrainingPlan.of(run, CONFIG, SMALL)
    assert plan.asked in plan.layouts
    assert (plan.obstacles, plan.advice) == ((), "")


def test_one_that_holds_too_much_is_told_the_fastest_that_fits() -> None:
    plan = TrainingPlan.of(planned(microBatchSize=16), CONFIG, SMALL)
    (obstacle,) = plan.obstacles
    assert obstacle.startswith("a process holds ")
    assert obstacle.endswith("a device has 36.0 GiB for it (90% of 40.0 GiB)")
    best = plan.layouts[0].training
    assert plan.advice.startswith(f"the fastest that fits: zeroStage {best.zero_stage}, ")
    assert plan.advice.endswith(f"microBatchSize {best.micro_batch_size}")


def test_a_host_that_is_too_small_is_told_too() -> None:
    run = planned(activationCheckpointing=True, deepspeed={"offloadOptimizer": "CPU"})
    plan = TrainingPlan.of(run, CONFIG, DeviceCluster(DEVICES["h100-80g"], 4, host_bytes=2**30))
    (obstacle,) = plan.obstacles
    assert "topology.resources lets a pod take 1.0 GiB" in obstacle
    assert not plan.layouts
    least = int(plan.advice.split("topology.resources with ")[1].split("Gi ")[0]) * 2**30
    enough = DeviceCluster(DEVICES["h100-80g"], 4, host_bytes=least)
    assert TrainingPlan.of(run, CONFIG, enough).layouts
    assert not TrainingPlan.of(run, CONFIG, replace(enough, host_bytes=least - 2**30)).layouts


def test_one_that_the_trainer_refuses_is_told_its_sentence_and_what_fits() -> None:
    plan = TrainingPlan.of(with_nodes(planned(), 3), CONFIG, SMALL)
    assert plan.asked is None
    assert plan.obstacles[0].startswith("training.globalBatchTokens: ")
    assert (plan.layouts, plan.advice) == ((), "")


def test_a_scratch_volume_that_is_too_small_hides_no_layout() -> None:
    document = manifest(activationCheckpointing=True, deepspeed={"zeroStage": 3})
    enough = LCCPRun.parse(document, "planned")
    document["spec"]["topology"]["resources"] = {"limits": {"ephemeral-storage": "1Gi"}}
    plan = TrainingPlan.of(LCCPRun.parse(document, "planned"), CONFIG, SMALL)
    (obstacle,) = plan.obstacles
    assert obstacle.startswith("topology.resources.limits.ephemeral-storage: 1Gi is too small ")
    assert plan.layouts == TrainingPlan.of(enough, CONFIG, SMALL).layouts
    assert plan.asked in plan.layouts


def test_where_nothing_fits_more_nodes_or_a_larger_device_are_named() -> None:
    plan = TrainingPlan.of(planned(processes=1), LARGE, NODE)
    assert not plan.layouts
    nodes = int(plan.advice.removeprefix("no layout fits these devices: ").split()[0])
    done = TrainingPlan.of(with_nodes(planned(processes=1), nodes), LARGE, NODE)
    assert done.layouts
    fewer = with_nodes(planned(processes=1), nodes // 2)
    assert not TrainingPlan.of(fewer, LARGE, NODE).layouts


@pytest.mark.slow
def test_a_model_that_nothing_holds_is_told_so() -> None:
    huge = LARGE | {"hidden_size": 2**18, "num_hidden_layers": 8}
    plan = TrainingPlan.of(planned(processes=1), huge, NODE)
    assert plan.advice.startswith("no layout fits on up to 16 nodes, nor on any device")


def test_a_model_that_can_t_be_counted_is_refused() -> None:
    with pytest.raises(InvalidInput, match="model_type 'gpt2' can't be counted"):
        TrainingPlan.of(planned(), {"model_type": "gpt2"}, SMALL)
