"""One process of a training, and its peak memory: started by torchrun."""

import gc
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from lccp.api.run import LCCPRunSpec
from lccp.cost.layout import step_shape
from lccp_trainer.control import Asked
from lccp_trainer.data.stream import Batch, Totals
from lccp_trainer.model.config import load_config
from lccp_trainer.objectives.pretrain import Pretraining
from lccp_trainer.parallel import attention
from lccp_trainer.parallel.engine import build_engine
from lccp_trainer.parallel.groups import Groups
from lccp_trainer.parallel.process_group import join_process_group
from lccp_trainer.stepping import Stepper

sys.path.insert(0, str(Path(__file__).parents[1]))

from held.cases import LENGTH, Case


def worker(folder: Path) -> None:
    """One process, started by torchrun."""
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
    if os.environ["RANK"] == "0" and not (folder / case.family).exists():
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**case.config))
        model.save_pretrained(folder / case.family)
    torch.distributed.barrier()


def _held(case: Case, folder: Path) -> int:
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
    totals = Totals.of_texts([LENGTH // 2] * 2 * shape.rows)
    batch = Batch(tokens[rows], positions[rows], totals=totals)
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


if __name__ == "__main__":
    worker(Path(sys.argv[1]))
