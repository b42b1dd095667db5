"""States, documents and budgets that changed between two attempts."""

import shutil
from collections.abc import Callable

from world import KEYS, STEP, Bench, Seen, ended, run


def empty_manifest(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    world.store.put(KEYS.state_manifest(4 * STEP), b"")
    second = run(world, steps=6, attempt=2)
    resumed = second.heartbeat.resumed_from_tokens
    told = f"{second.process.returncode}: went on from step {(resumed or 0) // STEP}"
    return Seen(second.process.returncode == 0 and resumed == 2 * STEP, told)


def lost_states(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    shutil.rmtree(world.root / "store" / KEYS.states)
    return ended(run(world, steps=6, attempt=2), 64, "checkpoints.lostState", "Restart")


def changed_documents(bench: Bench) -> Seen:
    world = bench.world()
    run(world)
    path = world.root / "data" / "long.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[1:]))
    return ended(run(world, steps=6, attempt=2), 64, "the documents of long", "acceptChanged")


def raised_budget(bench: Bench) -> Seen:
    world = bench.world()
    cosine = {"schedule": {"type": "Cosine"}}
    run(world, training=cosine)
    return ended(run(world, steps=6, attempt=2, training=cosine), 64, "training.tokens")


CASES: dict[str, Callable[[Bench], Seen]] = {
    "the newest state's manifest is empty": empty_manifest,
    "all states are gone, checkpoints are there": lost_states,
    "a document was taken out between two attempts": changed_documents,
    "a budget that is raised under a cosine": raised_budget,
}
