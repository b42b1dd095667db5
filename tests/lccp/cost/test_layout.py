from typing import Any

import pytest

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.layout import step_shape


def a_spec(batch: int, micro: int, nodes: int, processes: int, **deepspeed: int) -> LCCPRunSpec:
    document: dict[str, Any] = {
        "model": {"source": "m", "targetContextLength": 100},
        "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
        "training": {
            "tokens": 10_000,
            "globalBatchTokens": batch,
            "microBatchSize": micro,
            "learningRate": "1e-3",
            "deepspeed": deepspeed,
        },
        "topology": {"nodes": nodes, "processesPerNode": processes},
        "checkpoints": {"everyTokens": 1_000},
    }
    return LCCPRunSpec.parse(document, "spec")


def test_every_row_is_in_one_micro_batch_of_one_process() -> None:
    shape = step_shape(a_spec(2_400, micro=2, nodes=2, processes=2))
    assert (shape.rows, shape.tokens, shape.accumulation_steps) == (24, 2_400, 3)
    parts = [(range(24)[shape.own_rows(rank)], shape.micro_batches()) for rank in range(4)]
    rows = [row for own, batches in parts for batch in batches for row in own[batch]]
    assert rows == list(range(24))


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        (a_spec(1_000, micro=4, nodes=2, processes=1), "take 800 or 1600"),
        (a_spec(1_050, micro=1, nodes=1, processes=1), "take 1000 or 1100"),
        (a_spec(200, micro=1, nodes=4, processes=1), "take 400, or fewer processes"),
    ],
)
def test_a_batch_that_does_not_divide_is_refused_with_the_ones_that_do(
    spec: LCCPRunSpec, hint: str
) -> None:
    with pytest.raises(InvalidInput, match=r"^training\.globalBatchTokens: .*" + hint):
        step_shape(spec)


def test_ranks_that_share_sequences_have_the_same_rows_and_different_columns() -> None:
    spec = a_spec(800, micro=1, nodes=2, processes=2, sequenceParallelSize=2)
    shape = step_shape(spec)
    assert (shape.layout.data_size, shape.accumulation_steps) == (2, 4)
    assert [shape.own_rows(rank) for rank in range(4)] == [slice(0, 4)] * 2 + [slice(4, 8)] * 2
    assert [shape.columns(rank) for rank in range(4)] == [slice(0, 50), slice(50, 100)] * 2
    assert shape.layout.sequence_groups() == [range(0, 2), range(2, 4)]
