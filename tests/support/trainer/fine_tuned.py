"""A rank with orders to fine-tune a checkpoint of a trainer's world."""

import json
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from trainer_world import ROW, World

from lccp.api.invocation import Invocation
from lccp.api.run import LCCPRun
from lccp.api.spec.sft import SFTSpec
from lccp_trainer.worker import Worker

TOKENS = 4_096
RECORDS = [{"prompt": f"w{number} ", "completion": f"w{number + 1}"} for number in range(12)]


def a_world(tiny: Path, root: Path) -> World:
    """A world with a checkpoint and twelve records."""
    for name in ("model", "data"):
        (root / name).symlink_to(tiny / name)
    (root / "records.jsonl").write_text("\n".join(map(json.dumps, RECORDS)))
    world = World(root)
    world.checkpoint(TOKENS)
    return world


def a_worker(world: World, rank: int = 0, **sft: Any) -> Worker:
    """The only process of its node, which has a scratch folder of its own."""
    settings = {"path": "records.jsonl", "template": "Plain", "globalBatchTokens": 4 * ROW} | sft
    scratch = Path(mkdtemp(dir=world.root))
    environ = world.told_to_fine_tune(settings, TOKENS)
    return Worker(
        invocation=Invocation.from_environ(environ),
        spec=LCCPRun.parse(world.document(), "run").spec,
        sft=SFTSpec.parse(settings, "sft"),
        rank=rank,
        local_rank=0,
        scratch=scratch,
        started=0.0,
    )
