"""The layouts whose steps are compared with those of plain PyTorch, on CPU processes.

`tests/lccp_trainer/stories/test_equality.py` runs those of TESTED, `benchmarks/exactness.py`
those of `whole`, and stores their results in RECORD; `docs/reference/parallelism.md` is rendered
from TESTED and RECORD.
"""

import json
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from lccp.api.run import LCCPRunSpec
from lccp.cost.compatibility import refusals

RECORD = Path(__file__).parents[1] / "benchmarks" / "exactness.json"
ROWS, LENGTH, VOCABULARY = 4, 64, 64
LEARNING_RATE, CLIPPING, WEIGHT_DECAY = 1e-3, 0.3, 0.1
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": LENGTH,
    "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    "pad_token_id": 0,
    "bos_token_id": None,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "hunyuan_v1_moe": {"num_experts": 4, "moe_topk": 2, "tie_word_embeddings": True},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24},
    "mixtral": {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": None},
    "deepseek_v3": {
        "n_routed_experts": 4,
        "num_experts_per_tok": 2,
        "moe_intermediate_size": 24,
        "n_shared_experts": 1,
        "n_group": 2,
        "topk_group": 1,
        "first_k_dense_replace": 1,
        "q_lora_rank": 16,
        "kv_lora_rank": 16,
        "qk_rope_head_dim": 8,
        "qk_nope_head_dim": 8,
        "v_head_dim": 8,
        "head_dim": 8,
        "num_key_value_heads": 4,
    },
    "hunyuan_v1_dense": {},
    "qwen3": {},
    "qwen2": {},
    "llama": {"tie_word_embeddings": True},
    "mistral": {"sliding_window": None},
}
"""Fields of the configuration of each model type."""


@dataclass(frozen=True)
class Laid:
    """A family of models, and the layout of its training."""

    family: str
    processes: int = 1
    zero_stage: int = 1
    sequence: int = 1
    experts: int = 1
    checkpointing: bool = False
    offload: bool = False
    precision: str = "FP32"

    def spec_of(self, length: int, step: int, tokens: int, **training: Any) -> dict[str, Any]:
        """The spec of a run of `tokens`, `step` at once; its model is the folder of the family."""
        return {
            "model": {"source": self.family, "targetContextLength": length},
            "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
            "training": {
                "tokens": tokens,
                "globalBatchTokens": step,
                "precision": self.precision,
                "activationCheckpointing": self.checkpointing,
                "deepspeed": {
                    "zeroStage": self.zero_stage,
                    "sequenceParallelSize": self.sequence,
                    "expertParallelSize": self.experts,
                    "offloadOptimizer": "CPU" if self.offload else "None",
                },
                **training,
            },
            "topology": {"nodes": self.processes},
            "checkpoints": {"everyTokens": tokens},
        }


@dataclass(frozen=True)
class Case(Laid):
    """A compared case: a layout, and its number of steps."""

    micro_batch: int = 1
    auxiliary: float = 0.0
    """Coefficient of the routers' balancing loss."""
    steps: int = 4
    saves: str = ""
    """Name of the state that is saved after the last step."""
    resumes: str = ""
    """Name of the state from which it resumes."""

    @property
    def name(self) -> str:
        return "-".join(str(value) for value in asdict(self).values())

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the model."""
        return SIZES | FAMILIES[self.family] | {"model_type": self.family}

    def spec(self) -> dict[str, Any]:
        """The spec of a run."""
        return self.spec_of(
            LENGTH,
            step=ROWS * LENGTH,
            tokens=self.steps * ROWS * LENGTH,
            microBatchSize=self.micro_batch,
            learningRate=str(LEARNING_RATE),
            gradientClipping=str(CLIPPING),
            routerAuxLossCoefficient=str(self.auxiliary),
        )

    def refusals(self) -> list[str]:
        """Why it can't be trained; empty if it can."""
        return refusals(LCCPRunSpec.parse(self.spec(), "spec"), self.config)


TESTED = (
    Case("hunyuan_v1_moe", 2, zero_stage=0, sequence=2),
    Case("hunyuan_v1_moe", 2, zero_stage=1, sequence=2, experts=2, micro_batch=2),
    Case("hunyuan_v1_moe", 2, zero_stage=2, experts=2, checkpointing=True),
    Case("hunyuan_v1_moe", 2, zero_stage=3, sequence=2, experts=2, checkpointing=True),
    Case("qwen3_moe", 2, zero_stage=3, sequence=2),
    Case("qwen3_moe", 2, zero_stage=1, sequence=2, experts=2),
    Case("qwen3_moe", 2, zero_stage=3, checkpointing=True),
    Case("qwen3_moe", 2, zero_stage=3, experts=2, checkpointing=True),
    Case("mixtral", 2, zero_stage=1, experts=2),
    Case("deepseek_v3", 2, zero_stage=2, sequence=2, experts=2),
    Case("qwen3", 2, zero_stage=2, sequence=2, micro_batch=2),
    Case("llama", 2, zero_stage=3),
    Case("hunyuan_v1_moe", 4, zero_stage=3, sequence=2, experts=4),
    Case("qwen3_moe", 4, zero_stage=2, sequence=4, experts=2, checkpointing=True),
    Case("mixtral", 4, zero_stage=1, sequence=2, experts=2, offload=True),
    Case("llama", 4, zero_stage=3, sequence=4, checkpointing=True),
)


def whole(steps: int) -> list[Case]:
    """Every family in layouts that use every feature, on two and on four processes."""
    found = []
    for family, processes in product(FAMILIES, (2, 4)):
        sparse = not Case(family, processes, experts=processes).refusals()
        experts = processes if sparse else 1
        found += [
            Case(family, processes, 0, sequence=processes),
            Case(family, processes, 1, experts=experts),
            Case(family, processes, 2, processes, experts),
            Case(family, processes, 3, processes, experts, checkpointing=True),
            Case(family, processes, 1, offload=True),
            Case(family, processes, 3, checkpointing=True, offload=True),
        ]
    return [replace(case, steps=steps) for case in found]


def recorded() -> list[Case]:
    """The cases that the benchmark found equal to plain PyTorch."""
    return [Case(**line["case"]) for line in json.loads(RECORD.read_text()) if line["small"]]
