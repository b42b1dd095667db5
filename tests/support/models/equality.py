"""The trainer's steps beside those of plain PyTorch, for any layout.

Plain PyTorch is one process that runs every document by itself: no packing, no DeepSpeed, nothing
of the trainer. `equality.py FOLDER` is one process of the trainer (started by torchrun): it makes
the cases in FOLDER/cases.json one after another and leaves what each came to.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

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
    "qwen3": {},
    "llama": {"tie_word_embeddings": True},
}


@dataclass(frozen=True)
class Case:
    """A layout of a family, and how many steps it makes."""

    family: str
    processes: int = 1
    zero_stage: int = 1
    sequence: int = 1
    experts: int = 1
    checkpointing: bool = False
    offload: bool = False
    precision: str = "FP32"
    micro_batch: int = 1
    auxiliary: float = 0.0
    """Coefficient of the routers' balancing loss."""
    steps: int = 4
    saves: str = ""
    """Name of the state that is saved after the last step."""
    resumes: str = ""
    """Name of the state that it goes on from."""

    @property
    def name(self) -> str:
        return "-".join(str(value) for value in asdict(self).values())


@dataclass(frozen=True)
class Outcome:
    """What the steps came to."""

    losses: list[float]
    norms: list[float]
    weights: dict[str, torch.Tensor]


def make_model(family: str, folder: Path) -> Path:
    """A small random model of `family` as a Hugging Face directory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    directory = folder / family
    if not directory.exists():
        config = AutoConfig.for_model(family, **(SIZES | FAMILIES[family]))
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(directory)
    return directory


def batches(steps: int) -> list[tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]]:
    """Tokens and positions [rows, length] of each step; rows hold one to four documents."""
    rng, found = np.random.default_rng(1), []
    for _ in range(steps):
        tokens = rng.integers(3, VOCABULARY, (ROWS, LENGTH)).astype(np.int32)
        positions = []
        for _ in range(ROWS):
            cuts = np.sort(rng.choice(np.arange(2, LENGTH - 2), rng.integers(0, 4), replace=False))
            lengths = np.diff([0, *cuts, LENGTH])
            positions.append(np.concatenate([np.arange(n, dtype=np.int32) for n in lengths]))
        found.append((tokens, np.stack(positions)))
    return found


def documents(tokens: Any, positions: Any) -> list[list[int]]:
    """The documents of a step, one by one."""
    found: list[list[int]] = []
    for token, position in zip(tokens.ravel().tolist(), positions.ravel().tolist(), strict=True):
        found += [[]] if position == 0 else []
        found[-1].append(token)
    return found


def plain(family: str, directory: Path, steps: int, auxiliary: float = 0.0) -> Outcome:
    """The steps in plain PyTorch."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": WEIGHT_DECAY}, {"params": others, "weight_decay": 0}],
        lr=LEARNING_RATE,
        betas=(0.9, 0.95),
    )
    losses, norms = [], []
    for tokens, positions in batches(steps):
        texts = [torch.tensor([document]) for document in documents(tokens, positions)]
        counted = sum(text.shape[1] - 1 for text in texts)
        loss = torch.zeros(())
        for text in (text for text in texts if text.shape[1] > 1):
            logits = model(input_ids=text).logits[0, :-1]
            loss = loss + torch.nn.functional.cross_entropy(logits, text[0, 1:], reduction="sum")
        loss = loss / counted
        told = loss.item()
        if auxiliary:
            loss = loss + auxiliary * balance(model, tokens, positions)
        optimizer.zero_grad()
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIPPING).item())
        optimizer.step()
        losses.append(told)
    return Outcome(losses, norms, {k: v.detach() for k, v in model.state_dict().items()})


def balance(model: Any, tokens: Any, positions: Any) -> torch.Tensor:
    """The balancing loss, averaged over rows and layers, from transformers' own logits."""
    total = torch.zeros(())
    for row, places in zip(tokens, positions, strict=True):
        by_document = [
            model(input_ids=torch.tensor([text]), output_router_logits=True).router_logits
            for text in documents(row, places)
        ]
        for layer in zip(*by_document, strict=True):
            p = torch.cat(layer).softmax(1)
            chosen = p.topk(model.config.num_experts_per_tok).indices
            shares = torch.nn.functional.one_hot(chosen, p.shape[1]).sum(1).float().mean(0)
            total = total + p.shape[1] * (shares * p.mean(0)).sum() / len(by_document[0])
    return total / len(tokens)


def spec_of(case: Case) -> dict[str, Any]:
    """The spec of a case; its model is the folder of its family's name."""
    return {
        "model": {"source": case.family, "targetContextLength": LENGTH},
        "data": {"shortFraction": "0", "sources": [{"name": "a", "kind": "Long", "path": "a"}]},
        "training": {
            "tokens": case.steps * ROWS * LENGTH,
            "globalBatchTokens": ROWS * LENGTH,
            "microBatchSize": case.micro_batch,
            "learningRate": str(LEARNING_RATE),
            "gradientClipping": str(CLIPPING),
            "precision": case.precision,
            "routerAuxLossCoefficient": str(case.auxiliary),
            "activationCheckpointing": case.checkpointing,
            "deepspeed": {
                "zeroStage": case.zero_stage,
                "sequenceParallelSize": case.sequence,
                "expertParallelSize": case.experts,
                "offloadOptimizer": "CPU" if case.offload else "None",
            },
        },
        "topology": {"nodes": case.processes},
        "checkpoints": {"everyTokens": case.steps * ROWS * LENGTH},
    }


def trained(cases: list[Case], folder: Path) -> dict[Case, Outcome]:
    """What the trainer makes of the cases, which have the same number of processes."""
    from safetensors.torch import load_file

    (processes,) = {case.processes for case in cases}
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in cases]))
    environ = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "LOGLEVEL": "CRITICAL"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes), __file__]
    done = subprocess.run(
        [*command, str(folder)], env=environ, capture_output=True, text=True, timeout=1_800
    )
    if done.returncode != 0:
        raise AssertionError(f"the trainer failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    found = {}
    for case in cases:
        losses, norms = json.loads((folder / f"{case.name}.json").read_text())
        found[case] = Outcome(losses, norms, load_file(folder / f"{case.name}.safetensors"))
    return found


def run_case(case: Case, folder: Path) -> None:
    """One process of the trainer makes the steps of a case."""
    from safetensors.torch import save_file

    from lccp.api.run import LCCPRunSpec
    from lccp.cost.layout import step_shape
    from lccp_trainer.control import Asked
    from lccp_trainer.data.stream import Batch
    from lccp_trainer.model.config import load_config
    from lccp_trainer.objectives.pretrain import Pretraining
    from lccp_trainer.parallel.engine import build_engine
    from lccp_trainer.parallel.groups import Groups
    from lccp_trainer.parallel.weights import whole_weights
    from lccp_trainer.stepping import Stepper

    spec = LCCPRunSpec.parse(spec_of(case), "spec")
    shape = step_shape(spec)
    groups = Groups.create(shape.layout, int(os.environ["RANK"]))
    config = load_config(spec.model, folder / case.family)
    directory, accumulation = folder / case.family, shape.accumulation_steps
    engine = build_engine(spec, directory, config, Pretraining, accumulation)
    engine.module.watch_routers(LENGTH, spec.training.router_aux_loss_coefficient)
    stepper = Stepper(engine, spec.training, shape, groups, torch.device("cpu"))
    begun = resume(case, engine, folder) if case.resumes else 0
    rows = shape.own_rows(groups.rank)
    own = [Batch(*(part[rows] for part in parts)) for parts in batches(case.steps)[begun:]]
    steps = [stepper.step(batch, 1, Asked) for batch in own]
    if case.saves:
        save(case, engine, folder)
    whole = whole_weights(engine)
    if whole is not None:
        told = [[step.loss for step in steps], [step.gradient_norm for step in steps]]
        (folder / f"{case.name}.json").write_text(json.dumps(told))
        whole = {name: weight.clone().contiguous() for name, weight in whole.items()}
        save_file(whole, folder / f"{case.name}.safetensors")
    engine.destroy()


def save(case: Case, engine: Any, folder: Path) -> None:
    """Save the state after the last step."""
    from lccp.store.keys import RunKeys
    from lccp_trainer.data.packing import Position
    from lccp_trainer.goodput import WallClock
    from lccp_trainer.parallel.process_group import rendezvous_store
    from lccp_trainer.state.progress import Point
    from lccp_trainer.state.publish import Publisher
    from lccp_trainer.state.saving import Saver
    from lccp_trainer.state.uploads import Uploader

    class NoData:
        def tokens_per_source(self, position: Position) -> dict[str, int]:
            return {}

    rank, keys = torch.distributed.get_rank(), RunKeys("equality", case.saves)
    publisher = Publisher(
        store=a_store(folder),
        keys=keys,
        writer="a1-00000000",
        rank=rank,
        world=case.processes,
        rendezvous=torch.distributed.PrefixStore(case.saves, rendezvous_store()),
        lengths=(LENGTH, LENGTH),
        keep_states=1,
        keep_state_every=None,
    )
    scratch = folder / f"scratch-{case.saves}-{rank}"
    saver = Saver(
        engine=engine,
        stream=NoData(),
        publisher=publisher,
        uploader=Uploader(),
        reporter=None,
        source=folder,
        scratch=scratch,
        budget=0,
        clock=WallClock(0.0),
        checkpoints=set(),
        states=set(),
    )
    saver.state(Point(case.steps, case.steps * ROWS * LENGTH, Position((), ())), False)
    saver.uploader.finish()


def resume(case: Case, engine: Any, folder: Path) -> int:
    """Put the engine where the state has it; the steps that were made."""
    from lccp.store.keys import RunKeys
    from lccp_trainer.state.publish import complete_tokens
    from lccp_trainer.state.resume import Resume

    store, keys = a_store(folder), RunKeys("equality", case.resumes)
    rank = torch.distributed.get_rank()
    found = Resume(store, keys, engine, rank, torch.device("cpu"))
    state, damaged = found.newest(complete_tokens(store, keys.states))
    assert state is not None, damaged
    return state.point.step


def a_store(folder: Path) -> Any:
    from lccp.api.invocation import StoreConfig
    from lccp.store.open import open_store

    return open_store(StoreConfig(url=f"file://{folder}/store"))


def main() -> None:
    """One process that torchrun started."""
    from lccp.api.run import LCCPRunSpec
    from lccp_trainer.parallel import attention
    from lccp_trainer.parallel.process_group import join_process_group

    folder = Path(sys.argv[1])
    cases = [Case(**case) for case in json.loads((folder / "cases.json").read_text())]
    join_process_group(LCCPRunSpec.parse(spec_of(replace(cases[0])), "spec"), 0)
    attention.register()
    for case in cases:
        run_case(case, folder)
    sys.stdout.flush()
    torch.distributed.barrier()
    os._exit(0)


if __name__ == "__main__":
    main()
