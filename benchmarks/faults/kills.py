"""Random ranks killed at random moments, each attempt in another layout.

Sums in another order change a loss in its last digits, training amplifies that, and a token near a
tie of its router goes to another expert. So two undisturbed runs determine the tolerance: one in
the layout of most attempts, the other in the layout whose sums differ most.
"""

import random
import time
from typing import Any

from world import Attempt, Bench, Seen, drain, endless

LAYOUTS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("ZeRO 1", {"zeroStage": 1}),
    ("ZeRO 2", {"zeroStage": 2}),
    ("ZeRO 3", {"zeroStage": 3}),
    ("ZeRO 1, SP 2", {"zeroStage": 1, "sequenceParallelSize": 2}),
    ("ZeRO 2, EP 2", {"zeroStage": 2, "expertParallelSize": 2}),
    ("ZeRO 3, SP 2", {"zeroStage": 3, "sequenceParallelSize": 2}),
    ("ZeRO 1, SP 2, EP 2", {"sequenceParallelSize": 2, "expertParallelSize": 2}),
    ("ZeRO 1, offload", {"zeroStage": 1, "offloadOptimizer": "CPU"}),
)
KILL_WITHIN_SECONDS = 4.0
TIMES_APART = 3
"""The killed run may differ from the first by this multiple of the undisturbed runs' difference."""
PATIENCE_SECONDS = 3_600


def kills(bench: Bench, count: int, seed: int = 0) -> Seen:
    """Kill random ranks of one run at random moments; compare its steps with another run's."""
    rng, world, attempts = random.Random(seed), bench.world(), []
    names = []
    for number in range(1, count + 1):
        name, layout = rng.choice(LAYOUTS)
        attempt = endless(world, number, layout)
        attempts.append(attempt)
        names.append(name)
        early = rng.random() < 0.25
        if not early:
            last = max((r.step for a in attempts[:-1] for r in history(a)), default=0)
            attempt.wait_for_step(last + 1, PATIENCE_SECONDS)
        time.sleep(rng.uniform(0, KILL_WITHIN_SECONDS) + (5 if early else 0))
        ranks = attempt.ranks()
        if ranks:
            ranks[rng.choice(sorted(ranks))].kill()
        code = attempt.wait() if ranks else "no rank yet"
        made = [record.step for record in history(attempt)]
        print(f"kill {number}: {name}: {code}, steps {made[:1]} to {made[-1:]}", flush=True)
        if not ranks:
            attempt.process.kill()
            attempt.wait()
    last = max(record.step for attempt in attempts for record in history(attempt))
    final = endless(world, count + 1)
    final.wait_for_step(last + 5, PATIENCE_SECONDS)
    drain(world, count + 1)
    final.wait()
    attempts.append(final)
    expected, otherwise = undisturbed(bench, final.end.step)
    for name, attempt in zip([*names, "the last"], attempts, strict=True):
        by = {record.step: abs(record.loss - expected[record.step]) for record in history(attempt)}
        if by:
            print(f"{name}, steps {min(by)} to {max(by)}: {max(by.values()):.1e} nats", flush=True)
    return compared(attempts, expected, otherwise)


def undisturbed(bench: Bench, steps: int) -> tuple[dict[int, float], ...]:
    """Losses by step of two runs of `steps` steps: ZeRO 1, and ZeRO 1 with SP and EP."""
    worlds = bench.world(), bench.world()
    runs = [
        endless(world, layout=layout)
        for world, layout in zip(worlds, ({}, dict(LAYOUTS)["ZeRO 1, SP 2, EP 2"]), strict=True)
    ]
    for world, attempt in zip(worlds, runs, strict=True):
        attempt.wait_for_step(steps, PATIENCE_SECONDS)
        drain(world, 1)
    for attempt in runs:
        attempt.wait()
    return tuple({record.step: record.loss for record in history(run)} for run in runs)


def compared(
    attempts: list[Attempt], expected: dict[int, float], otherwise: dict[int, float]
) -> Seen:
    steps = {record.step for attempt in attempts for record in history(attempt)}
    missing = set(range(1, max(steps) + 1)) - steps
    far = max(
        abs(record.loss - expected[record.step])
        for attempt in attempts
        for record in history(attempt)
    )
    apart = max(abs(otherwise[step] - expected[step]) for step in steps)
    told = (
        f"{max(steps)} steps, {len(missing)} missing; largest difference of a loss {far:.1e} nats, "
        f"of two undisturbed runs in other layouts {apart:.1e}"
    )
    return Seen(not missing and far <= TIMES_APART * apart, told)


def history(attempt: Attempt) -> list[Any]:
    """The attempt's history; empty if none was written."""
    if attempt.store.stat(attempt.keys.history(attempt.writer)) is None:
        return []
    return attempt.history
