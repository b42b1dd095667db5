"""Only experts are split, and only evenly."""

from pathlib import Path

import pytest
from tiny_models import SIZES
from transformers import AutoConfig
from transformers.distributed.configuration_utils import DistributedConfig

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.model.loading import empty_model
from lccp_evaluator.spread.splitting import WHOLE, splitting


def the_split(kind: str, directory: Path, shards: int = 2) -> DistributedConfig | None:
    AutoConfig.for_model(kind, **SIZES, first_k_dense_replace=1).save_pretrained(directory)
    plan = ExecutionPlan.here(Execution("cpu", shards=shards))
    return splitting(empty_model(directory), plan, directory)


@pytest.mark.parametrize("kind", ["hunyuan_v1_moe", "qwen3_moe", "mixtral", "olmoe", "deepseek_v3"])
def test_all_but_experts_stays_whole(kind: str, tmp_path: Path) -> None:
    found = the_split(kind, tmp_path)

    assert found is not None
    assert isinstance(found.tp_plan, dict)
    split = {rule for rule, style in found.tp_plan.items() if style != WHOLE}

    experts = "model.layers.*.mlp.experts"
    assert split == {experts, f"{experts}.gate_up_proj", f"{experts}.down_proj"}


@pytest.mark.parametrize("kind", ["qwen3", "gpt_oss"])
def test_without_experts_or_a_plan_for_them_nothing_is_split(kind: str, tmp_path: Path) -> None:
    assert the_split(kind, tmp_path) is None


def test_an_uneven_split_is_refused(tmp_path: Path) -> None:
    sentence = ": a model of type 'mixtral' .* 8 does not cut .*, 16, .* of 4: take 1, 2 or 4"
    with pytest.raises(InvalidInput, match=sentence):
        the_split("mixtral", tmp_path, 8)
