import numpy as np
import torch

from lccp.cost.layout import Layout, StepShape
from lccp_trainer.data.stream import Batch
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.shard import IGNORED, document_lengths, following, shards

TOKENS = np.arange(16, dtype=np.int32).reshape(2, 8)
POSITIONS = np.array([[0, 1, 2, 0, 1, 2, 3, 4], [0, 1, 2, 3, 4, 5, 6, 7]], dtype=np.int32)
I = IGNORED  # noqa: E741


def test_the_last_token_of_a_document_predicts_nothing() -> None:
    assert following(TOKENS, POSITIONS).tolist() == [
        [1, 2, I, 4, 5, 6, 7, I],
        [9, 10, 11, 12, 13, 14, 15, I],
    ]


def test_documents_are_found_by_their_positions() -> None:
    assert document_lengths(POSITIONS) == ((3, 5), (8,))


def test_a_row_that_begins_within_a_document_is_cut_where_the_next_one_starts() -> None:
    assert document_lengths(np.array([[4, 5, 0, 1]], dtype=np.int32)) == ((2, 2),)


def test_the_shards_of_a_sequence_are_its_columns_with_targets_from_beyond_them() -> None:
    shape = StepShape(rows=2, row_tokens=8, layout=Layout(2, sequence_size=2), micro_batch_rows=1)
    batch, cpu = Batch(TOKENS, POSITIONS), torch.device("cpu")
    left, right = (shards(batch, shape, Groups(shape.layout, r, None), cpu) for r in (0, 1))
    assert [shard.tokens.tolist() for shard in left] == [[[0, 1, 2, 3]], [[8, 9, 10, 11]]]
    assert [shard.targets.tolist() for shard in left] == [[[1, 2, I, 4]], [[9, 10, 11, 12]]]
    assert [shard.positions.tolist() for shard in right] == [[[1, 2, 3, 4]], [[4, 5, 6, 7]]]
    assert [shard.documents.lengths for shard in right] == [((3, 5),), ((8,),)]
    assert sum(int((shard.targets != I).sum()) for shard in (*left, *right)) == 13


def test_only_tokens_that_are_predicted_are_targets() -> None:
    predicted = np.zeros_like(POSITIONS, dtype=np.bool_)
    predicted[0, [0, 2, 3]] = predicted[1, 7] = True
    assert following(TOKENS, POSITIONS, predicted).tolist() == [
        [I, 2, I, I, I, I, I, I],
        [I, I, I, I, I, I, 15, I],
    ]
