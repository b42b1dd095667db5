from typing import Any

import a_run
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.sft import SFTSpec
from lccp.contract.errors import InvalidInput
from lccp.cost.fine_tuning import fine_tuning_run, with_budget
from lccp.cost.layout import step_shape

ROW = 512


def run(**topology: Any) -> LCCPRunSpec:
    return a_run.run(topology=topology).spec


def sft(**fields: Any) -> SFTSpec:
    return SFTSpec.parse({"path": "records", "globalBatchTokens": 8 * ROW, **fields}, "sft")


def test_a_fine_tuning_is_a_run_with_the_model_as_it_is_and_one_checkpoint() -> None:
    settings = sft(learningRate="2e-5", finalLearningRate="5e-6", warmupFraction="0.1", seed=3)
    spec = with_budget(fine_tuning_run(run(nodes=2), settings), settings, steps=40)
    assert spec.model.rope_base is None
    assert spec.model.target_context_length == ROW
    assert not spec.evaluation.baseline
    training = spec.training
    assert (training.tokens, training.learning_rate, training.seed) == (40 * 8 * ROW, 2e-5, 3)
    assert training.schedule.type == "Cosine"
    assert training.schedule.warmup_tokens == 4 * 8 * ROW
    assert training.schedule.final_fraction == pytest.approx(0.25)
    assert spec.checkpoints.due(training.tokens) == (training.tokens,)


def test_a_fine_tuning_saves_nothing_where_branches_of_the_run_begin() -> None:
    """Its only manifest would be that of a model which is not trained to the end."""
    anneal = {"tokens": 8 * ROW, "atTokens": [80 * ROW]}
    spec = a_run.run(checkpoints={"everyTokens": 80 * ROW, "anneal": anneal}).spec
    settings = sft()
    tuned = with_budget(fine_tuning_run(spec, settings), settings, steps=40)
    assert tuned.checkpoints.due(tuned.trained.tokens) == (40 * 8 * ROW,)
    assert tuned.branch_points == ()


def test_what_is_not_given_is_as_in_the_run() -> None:
    spec = run(nodes=2)
    assert fine_tuning_run(spec, sft()).training.micro_batch_size == spec.training.micro_batch_size
    assert fine_tuning_run(spec, sft(microBatchSize=4)).training.micro_batch_size == 4
    assert fine_tuning_run(spec, sft(contextLength=128)).model.target_context_length == 128


@given(st.integers(1, 8), st.integers(1, 4), st.integers(1, 64))
def test_a_batch_is_refused_unless_every_process_gets_whole_micro_batches(
    nodes: int, micro_batch: int, rows: int
) -> None:
    settings = sft(globalBatchTokens=rows * ROW, microBatchSize=micro_batch)
    if rows % (nodes * micro_batch) == 0:
        assert step_shape(fine_tuning_run(run(nodes=nodes), settings)).rows == rows
    else:
        with pytest.raises(InvalidInput, match=r"^sft.globalBatchTokens: .* take "):
            fine_tuning_run(run(nodes=nodes), settings)


def test_a_row_can_not_be_longer_than_the_context() -> None:
    with pytest.raises(InvalidInput, match=r"^sft.contextLength: 1024 is more than .* 512"):
        fine_tuning_run(run(), sft(contextLength=1024, globalBatchTokens=1024))


def test_adapters_do_not_go_with_expert_parallelism() -> None:
    spec = run(nodes=2)
    deepspeed = spec.training.deepspeed.model_copy(update={"expert_parallel_size": 2})
    training = spec.training.model_copy(update={"deepspeed": deepspeed})
    with pytest.raises(InvalidInput, match=r"^sft.lora: .*expertParallelSize 2: take 1"):
        fine_tuning_run(spec.model_copy(update={"training": training}), sft(lora={}))


def test_a_rate_that_would_rise_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"finalLearningRate 0.001 is above learningRate 2e-05"):
        sft(finalLearningRate="1e-3")
