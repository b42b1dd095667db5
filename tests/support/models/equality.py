"""The trainer's steps beside those of plain PyTorch, for any layout.

Plain PyTorch is one process that runs every document separately: no packing, no DeepSpeed, nothing
of the trainer. `equality.py FOLDER` is one process of the trainer (started by torchrun): it runs
the cases in FOLDER/cases.json one after another and saves the result of each.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from layouts import (
    CLIPPING,
    LEARNING_RATE,
    LENGTH,
    ROWS,
    VOCABULARY,
    WEIGHT_DECAY,
    Case,
)

TILE_ELEMENTS = LENGTH * 7
"""Few, so that blocks whose activations are computed again are computed in several tiles."""
TOOLS = Path(__file__).parents[3] / "tools"


@dataclass(frozen=True)
class Outcome:
    """What the steps came to."""

    losses: list[float]
    norms: list[float]
    weights: dict[str, torch.Tensor]
    held_out: list[float]
    """After them, by source and within and beyond the source context."""


@dataclass(frozen=True)
class Differences:
    """The largest differences of two outcomes."""

    loss: float
    """Nats."""
    norm: float
    """Relative."""
    weight: float
    held_out: float
    """Nats."""

    @classmethod
    def of(cls, found: Outcome, expected: Outcome) -> Self:
        losses = zip(found.losses, expected.losses, strict=True)
        norms = zip(found.norms, expected.norms, strict=True)
        weights = ((found.weights[name], whole) for name, whole in expected.weights.items())
        return cls(
            loss=max(abs(a - b) for a, b in losses),
            norm=max(abs(a - b) / b for a, b in norms),
            weight=max(float((a - b).abs().max()) for a, b in weights),
            held_out=max(
                abs(a - b) for a, b in zip(found.held_out, expected.held_out, strict=True)
            ),
        )

    @property
    def small(self) -> bool:
        """Whether they are those of sums in another order; a NaN is not."""
        losses = max(self.loss, self.held_out)
        return losses <= 2e-6 and self.norm <= 2e-6 and self.weight <= 3e-5


def make_model(family: str, folder: Path) -> Path:
    """A small random model of `family` as a Hugging Face directory."""
    from transformers import AutoConfig, AutoModelForCausalLM

    directory = folder / family
    if not directory.exists():
        config = AutoConfig.for_model(**Case(family).config)
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


def held_out_texts() -> list[list[np.ndarray[Any, Any]]]:
    """Documents of each of two sources, that no step trains on."""
    rng = np.random.default_rng(2)
    lengths = (LENGTH, LENGTH - 5, LENGTH // 2 + 3), (7, 2, 12)
    return [[rng.integers(3, VOCABULARY, n).astype(np.int32) for n in each] for each in lengths]


@torch.no_grad()
def plain_held_out(model: Any) -> list[float]:
    """The loss on them, by source and within and beyond half of the length."""
    found = []
    for texts in held_out_texts():
        bands: tuple[list[float], list[float]] = ([], [])
        for text in map(torch.from_numpy, texts):
            logits = model(input_ids=text[None].long()).logits[0, :-1]
            nll = torch.nn.functional.cross_entropy(logits, text[1:].long(), reduction="none")
            for position, value in enumerate(nll.tolist(), start=1):
                bands[position >= LENGTH // 2].append(value)
        found += [sum(band) / len(band) for band in bands if band]
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
    weights = {k: v.detach() for k, v in model.state_dict().items()}
    return Outcome(losses, norms, weights, plain_held_out(model))


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


def trained(cases: list[Case], folder: Path) -> dict[Case, Outcome]:
    """What the trainer makes of the cases, which have the same number of processes."""
    from safetensors.torch import load_file

    (processes,) = {case.processes for case in cases}
    (folder / "cases.json").write_text(json.dumps([asdict(case) for case in cases]))
    environ = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "LOGLEVEL": "CRITICAL"}
    environ["PYTHONPATH"] = str(TOOLS)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--local-addr", "127.0.0.1", "--nproc-per-node", str(processes), __file__]
    limit = 1_200 + 60 * sum(case.steps for case in cases)
    done = subprocess.run(
        [*command, str(folder)], env=environ, capture_output=True, text=True, timeout=limit
    )
    if done.returncode != 0:
        raise AssertionError(f"the trainer failed:\n{done.stdout[-3000:]}\n{done.stderr[-6000:]}")
    found = {}
    for case in cases:
        losses, norms, held_out = json.loads((folder / f"{case.name}.json").read_text())
        weights = load_file(folder / f"{case.name}.safetensors")
        found[case] = Outcome(losses, norms, weights, held_out)
    return found


def run_case(case: Case, folder: Path) -> None:
    """One process of the trainer makes the steps of a case."""
    from safetensors.torch import save_file

    from lccp.api.run import LCCPRunSpec
    from lccp.cost.layout import step_shape
    from lccp_trainer.control import Asked
    from lccp_trainer.data.stream import Batch, Totals
    from lccp_trainer.model.config import load_config
    from lccp_trainer.objectives.pretrain import Pretraining
    from lccp_trainer.parallel.engine import build_engine
    from lccp_trainer.parallel.groups import Groups
    from lccp_trainer.parallel.weights import whole_weights
    from lccp_trainer.stepping import Stepper

    spec = LCCPRunSpec.parse(case.spec(), "spec")
    shape = step_shape(spec)
    groups = Groups.create(shape.layout, int(os.environ["RANK"]))
    config = load_config(spec.model, folder / case.family)
    directory, accumulation = folder / case.family, shape.accumulation_steps
    engine = build_engine(spec, directory, config, Pretraining, accumulation)
    engine.module.watch_routers(LENGTH, spec.training.router_aux_loss_coefficient)
    stepper = Stepper(engine, spec.training, shape, groups, torch.device("cpu"))
    measure = a_meter(engine, shape, groups)
    measure(0)  # As before a rewind: what passes gathered must not outlive a state that is read.
    begun = resume(case, engine, folder) if case.resumes else 0
    rows = shape.own_rows(groups.rank)
    own = []
    for tokens, positions in batches(case.steps)[begun:]:
        totals = Totals.of_texts([len(one) for one in documents(tokens, positions)])
        own.append(Batch(tokens[rows], positions[rows], totals=totals))
    steps = [stepper.step(batch, 1, Asked) for batch in own]
    held_out = [cell.loss for cell in measure(0).cells]
    if case.saves:
        save(case, engine, folder)
    whole = whole_weights(engine)
    if whole is not None:
        norms = [step.gradient_norm for step in steps]
        told = [[step.loss for step in steps], norms, held_out]
        (folder / f"{case.name}.json").write_text(json.dumps(told))
        whole = {name: weight.clone().contiguous() for name, weight in whole.items()}
        save_file(whole, folder / f"{case.name}.safetensors")
    engine.destroy()


def a_meter(engine: Any, shape: Any, groups: Any) -> Callable[[int], Any]:
    """Measures the held-out documents, in rows that have room left."""
    from lccp_trainer.data.held_out import rows_of
    from lccp_trainer.data.packing import Piece
    from lccp_trainer.objectives.held_out import HeldOut, HeldOutMeter

    class Texts(list[Any]):
        def read(self, number: int, start: int, end: int) -> Any:
            return self[number][start:end]

    texts = held_out_texts()
    pieces = [Piece(s, n, 0, len(t)) for s, each in enumerate(texts) for n, t in enumerate(each)]
    shards: Any = [Texts(each) for each in texts]
    held_out = HeldOut(("long", "short"), shards, rows_of(pieces, LENGTH), LENGTH // 2)
    return HeldOutMeter(engine, held_out, shape, groups, torch.device("cpu"), lambda: None)


def save(case: Case, engine: Any, folder: Path) -> None:
    """Save the state after the last step."""
    from lccp.api.run import LCCPRunSpec
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
    spec = LCCPRunSpec.parse(case.spec(), "spec")
    publisher = Publisher(
        store=a_store(folder),
        keys=keys,
        writer="a1-00000000",
        rank=rank,
        world=case.processes,
        rendezvous=torch.distributed.PrefixStore(case.saves, rendezvous_store(spec)),
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
    from lccp.cost import memory
    from lccp_trainer.parallel import attention
    from lccp_trainer.parallel.process_group import join_process_group

    memory.TILE_ELEMENTS = TILE_ELEMENTS
    folder = Path(sys.argv[1])
    cases = [Case(**case) for case in json.loads((folder / "cases.json").read_text())]
    join_process_group(LCCPRunSpec.parse(cases[0].spec(), "spec"), 0)
    attention.register()
    for case in cases:
        run_case(case, folder)
    sys.stdout.flush()
    torch.distributed.barrier()
    os._exit(0)


if __name__ == "__main__":
    main()
