"""Only experts are split, and what cannot be split is refused by name."""

from pathlib import Path

import pytest
from tiny_models import SIZES
from transformers import AutoConfig

from lccp.contract.errors import InvalidInput
from lccp_evaluator.model.execution import Execution, ExecutionPlan
from lccp_evaluator.spread.splitting import WHOLE, splitting


def the_rules(kind: str, directory: Path, shards: int = 2) -> dict[str, str]:
    AutoConfig.for_model(kind, **SIZES, first_k_dense_replace=1).save_pretrained(directory)
    plan = ExecutionPlan.here(Execution("cpu", shards=shards))
    rules = splitting(directory, plan, False).tp_plan
    assert isinstance(rules, dict)
    return rules


@pytest.mark.parametrize("kind", ["hunyuan_v1_moe", "qwen3_moe", "mixtral", "olmoe", "deepseek_v3"])
def test_all_but_experts_stays_whole(kind: str, tmp_path: Path) -> None:
    split = {rule for rule, style in the_rules(kind, tmp_path).items() if style != WHOLE}

    experts = "model.layers.*.mlp.experts"
    assert split == {experts, f"{experts}.gate_up_proj", f"{experts}.down_proj"}


@pytest.mark.parametrize(
    ("kind", "shards", "sentence"),
    [
        ("qwen3", 2, "has no experts that 2 processes could share: give shards: 1"),
        ("gpt_oss", 2, "no plan for the width of its experts: give shards: 1"),
        ("mixtral", 8, "8 does not cut .*, 16, into multiples of 4: take 1, 2 or 4"),
    ],
)
def test_what_cannot_be_split_is_refused(
    kind: str, tmp_path: Path, shards: int, sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=f": a model of type '{kind}' .*{sentence}"):
        the_rules(kind, tmp_path, shards)
