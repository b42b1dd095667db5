"""What a process of the trainer holds, beside what `lccp.cost` says that it does.

Each case makes three steps of a model of some 30 million parameters as processes of this machine.
Measured is the most resident memory of the worst process in the last two steps, above what it held
before there was a model; freed memory goes back to the system (MALLOC_MMAP_THRESHOLD_). The
estimate counts the buckets of DeepSpeed as far as they are filled: untouched pages take no memory
of a host, as they do of a device.

    python benchmarks/memory.py [--processes 1 2 4] [--most CASES] [--json FILE]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

MEBIBYTE = 2**20
ROWS, LENGTH = 4, 1_024
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
class Case:
    """A layout of a family."""

    family: str
    processes: int = 1
    stage: int = 1
    sequence: int = 1
    experts: int = 1
    precision: str = "FP32"
    checkpointing: bool = False
    offload: bool = False
    accumulation: int = 1

    @property
    def config(self) -> dict[str, Any]:
        """config.json of the model."""
        return SIZES | FAMILIES[self.family] | {"model_type": self.family}

    def spec(self) -> dict[str, Any]:
        """The spec of a run."""
        step = self.accumulation * self.processes // self.sequence * LENGTH
        return {
            "model": {"source": self.family, "targetContextLength": LENGTH},
            "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
            "training": {
                "tokens": 100 * step,
                "globalBatchTokens": step,
                "learningRate": "1e-4",
                "precision": self.precision,
                "activationCheckpointing": self.checkpointing,
                "deepspeed": {
                    "zeroStage": self.stage,
                    "sequenceParallelSize": self.sequence,
                    "expertParallelSize": self.experts,
                    "offloadOptimizer": "CPU" if self.offload else "None",
                },
            },
            "topology": {"nodes": self.processes},
            "checkpoints": {"everyTokens": 100 * step},
        }


CASES = (
    Case("llama", stage=0),
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


def measured(cases: list[Case], folder: Path) -> dict[Case, int]:
    """Bytes that the worst process of each case held; all have the same number of processes."""
    (processes,) = {case.processes for case in cases}
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in cases]))
    environ = os.environ | {
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
        "LOGLEVEL": "CRITICAL",
        "MALLOC_MMAP_THRESHOLD_": "65536",
    }
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes), __file__]
    done = subprocess.run(
        [*command, "--worker", str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=1_800,
    )
    if done.returncode != 0:
        raise SystemExit(f"the trainer failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    return {
        case: max(int((folder / f"{number}-{rank}").read_text()) for rank in range(processes))
        for number, case in enumerate(cases)
    }


def worker(folder: Path) -> None:
    """One process that torchrun started."""
    import torch

    from lccp.api.run import LCCPRunSpec
    from lccp_trainer.parallel import attention
    from lccp_trainer.parallel.process_group import join_process_group

    cases = [Case(**case) for case in json.loads((folder / "cases.json").read_text())]
    join_process_group(LCCPRunSpec.parse(cases[0].spec(), "spec"), 0)
    attention.register()
    for number, case in enumerate(cases):
        _make_model(case, folder)
        held = _held(case, folder)
        (folder / f"{number}-{os.environ['RANK']}").write_text(str(held))
    torch.distributed.barrier()
    os._exit(0)


def _make_model(case: Case, folder: Path) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    if os.environ["RANK"] == "0" and not (folder / case.family).exists():
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**case.config))
        model.save_pretrained(folder / case.family)
    torch.distributed.barrier()


def _held(case: Case, folder: Path) -> int:
    import gc

    import numpy as np
    import torch

    from lccp.api.run import LCCPRunSpec
    from lccp.cost.layout import step_shape
    from lccp_trainer.control import Asked
    from lccp_trainer.data.stream import Batch
    from lccp_trainer.model.config import load_config
    from lccp_trainer.objectives.pretrain import Pretraining
    from lccp_trainer.parallel.engine import build_engine
    from lccp_trainer.parallel.groups import Groups
    from lccp_trainer.stepping import Stepper

    spec = LCCPRunSpec.parse(case.spec(), "spec")
    shape, directory = step_shape(spec), folder / case.family
    groups = Groups.create(shape.layout, int(os.environ["RANK"]))
    config = load_config(spec.model, directory)
    gc.collect()
    before = _status("VmRSS")
    engine = build_engine(spec, directory, config, Pretraining, shape.accumulation_steps)
    engine.module.watch_routers(LENGTH, spec.training.router_aux_loss_coefficient)
    stepper = Stepper(engine, spec.training, shape, groups, torch.device("cpu"))
    tokens = np.random.default_rng(0).integers(3, 8_000, (shape.rows, LENGTH)).astype(np.int32)
    half = np.arange(LENGTH // 2, dtype=np.int32)
    positions = np.tile(half, (shape.rows, 2))
    rows = shape.own_rows(groups.rank)
    batch = Batch(tokens[rows], positions[rows])
    stepper.step(batch, 1, Asked)
    Path("/proc/self/clear_refs").write_text("5")
    for number in (2, 3):
        stepper.step(batch, number, Asked)
    most = _status("VmHWM")
    engine.destroy()
    del engine, stepper
    gc.collect()
    return most - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1_024


def estimated(case: Case) -> int:
    """Bytes that a process holds by the formula."""
    from lccp.api.run import LCCPRun
    from lccp.cost.architecture import Architecture
    from lccp.cost.memory import Memory, Training

    document = {
        "apiVersion": "lccp.io/v1alpha1",
        "kind": "LCCPRun",
        "metadata": {"name": "memory"},
        "spec": case.spec(),
    }
    model = Architecture.from_config(case.config)
    return Memory.of(model, Training.of(LCCPRun.parse(document, "memory"))).total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", nargs="+", type=int, choices=(1, 2, 4), default=[1, 2, 4])
    parser.add_argument("--most", type=int, help="cases of each number of processes")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        worker(asked.worker)
    table = Table("family", "processes", "layout", "measured MiB", "estimated MiB", "ratio")
    told = []
    with tempfile.TemporaryDirectory() as folder:
        for processes in asked.processes:
            cases = [case for case in CASES if case.processes == processes][: asked.most]
            for case, held in measured(cases, Path(folder)).items():
                guess = estimated(case)
                numbers = (f"{held / MEBIBYTE:.0f}", f"{guess / MEBIBYTE:.0f}")
                table.add_row(
                    case.family, str(processes), _layout(case), *numbers, f"{guess / held:.2f}"
                )
                told.append(asdict(case) | {"measured": held, "estimated": guess})
    Console(width=120).print(table)
    if asked.json:
        asked.json.write_text(json.dumps(told, indent=1))
    return 0


def _layout(case: Case) -> str:
    parts = [f"ZeRO {case.stage}", case.precision]
    parts += [f"SP {case.sequence}"] if case.sequence > 1 else []
    parts += [f"EP {case.experts}"] if case.experts > 1 else []
    parts += ["checkpointing"] if case.checkpointing else []
    parts += ["offload"] if case.offload else []
    parts += [f"{case.accumulation} micro batches"] if case.accumulation > 1 else []
    return ", ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
