from dataclasses import replace

from lccp.cost.memory import Training
from lccp.cost.scratch import scratch_bytes

TRAINING = Training(tokens=10**6, context_length=512)


def test_a_checkpoint_lies_on_the_first_pod_and_a_state_on_all() -> None:
    assert scratch_bytes(10, TRAINING, pods=1) == 10 * 2 + 10 * 12
    assert scratch_bytes(10, TRAINING, pods=4) == 10 * 2 + 10 * 12 // 4
    assert scratch_bytes(10, replace(TRAINING, precision="FP32"), pods=1) == 10 * 4 + 10 * 12
