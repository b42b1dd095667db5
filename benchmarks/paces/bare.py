"""One process of a bare loop of transformers and DeepSpeed, with its data already in memory.

    torchrun --nproc-per-node 2 bare.py MODEL DOCUMENTS ROW ROWS RATE ENDS

It trains rows of ROW tokens, ROWS a step over all processes, until it is killed; the first process
appends the end of each step to ENDS, in seconds since 1970.
"""

import gzip
import json
import os
import sys
import time
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import deepspeed
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

STEPS_IN_MEMORY = 32


def batches(documents: Path, tokenizer: Any, row: int, rows: int) -> torch.Tensor:
    """This process's rows of every step: [steps, rows, row]."""
    with gzip.open(documents, "rt") as lines:
        texts = (json.loads(line)["text"] for line in lines)
        tokens = chain.from_iterable(tokenizer(text)["input_ids"] for text in texts)
        needed = list(islice(tokens, STEPS_IN_MEMORY * rows * row))
    world, rank = int(os.environ["WORLD_SIZE"]), int(os.environ["RANK"])
    return torch.tensor(needed).view(STEPS_IN_MEMORY, rows, row)[:, rank::world]


def main(model: Path, documents: Path, row: int, rows: int, rate: float, ends: Path) -> None:
    deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    deepspeed.init_distributed("gloo", verbose=False)
    steps = batches(documents, AutoTokenizer.from_pretrained(model), row, rows)
    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    settings = {
        "train_micro_batch_size_per_gpu": steps.shape[1],
        "gradient_clipping": 1.0,
        "zero_optimization": {"stage": 1},
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": None,
    }
    optimizer = torch.optim.AdamW(loaded.parameters(), lr=rate)
    engine, *_ = deepspeed.initialize(model=loaded, optimizer=optimizer, config=settings)
    with ends.open("a") as told:
        for tokens in cycle(steps):
            engine.backward(engine(input_ids=tokens, labels=tokens, use_cache=False).loss)
            engine.step()
            if os.environ["RANK"] == "0":
                print(time.time(), file=told, flush=True)


if __name__ == "__main__":
    paths = [Path(argument) for argument in (*sys.argv[1:3], sys.argv[6])]
    main(*paths[:2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]), paths[2])
