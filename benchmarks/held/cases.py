"""The layouts whose memory is measured, and the memory of each by the formula."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lccp.api.run import LCCPRun
from lccp.cost.architecture import Architecture
from lccp.cost.memory import Memory, TrainingSettings

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from layouts import Laid

LENGTH = 1_024
SIZES: dict[str, Any] = {
    "vocab_size": 8_192,
    "hidden_size": 512,
    "intermediate_size": 1_408,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "max_position_embeddings": LENGTH,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {},
    "qwen3_moe": {"num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 352},
    "hunyuan_v1_moe": {"intermediate_size": 352, "num_experts": 8, "moe_topk": 2},
}


@dataclass(frozen=True)
class Case(Laid):
    """A layout whose processes are measured."""

    accumulation: int = 1

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the model."""
        return SIZES | FAMILIES[self.family] | {"model_type": self.family}

    def spec(self) -> dict[str, Any]:
        """The spec of a run."""
        step = self.accumulation * self.processes // self.sequence * LENGTH
        return self.spec_of(LENGTH, step, tokens=100 * step, learningRate="1e-4")


CASES = (
    Case("llama", zero_stage=0),
    Case("llama"),
    Case("llama", precision="BF16"),
    Case("llama", checkpointing=True, accumulation=2),
    Case("qwen3"),
    Case("qwen3_moe"),
    Case("llama", 2, 0),
    Case("llama", 2, 1),
    Case("llama", 2, 2, precision="BF16"),
    Case("llama", 2, 3),
    Case("llama", 2, 1, sequence=2),
    Case("llama", 2, 2, offload=True),
    Case("qwen3_moe", 2, 1, experts=2),
    Case("hunyuan_v1_moe", 2, 3, sequence=2, experts=2, checkpointing=True),
    Case("llama", 4, 3, checkpointing=True),
    Case("hunyuan_v1_moe", 4, 2, sequence=2, experts=4),
)


def estimated(case: Case) -> int:
    """Bytes of a process by the formula."""
    document = {
        "apiVersion": "lccp.io/v1alpha1",
        "kind": "LCCPRun",
        "metadata": {"name": "memory"},
        "spec": case.spec(),
    }
    model = Architecture.from_config(case.config)
    return Memory.of(model, TrainingSettings.of(LCCPRun.parse(document, "memory"))).total
