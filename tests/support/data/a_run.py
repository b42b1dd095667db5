"""Fixtures: the reports, history and verdict of a run that never was.

The numbers follow a trial of the tiny example (score at its ceiling at step 50, NIAH-PPL falling
until step 300), but formulas and a fixed seed make them here: nothing was trained.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import any_probe
import numpy as np
from reports import heads_values, niah_values, packed, part, report_with

from lccp.analysis.policy import policy_of_run
from lccp.analysis.verdict import judge
from lccp.api.causes import Cause
from lccp.api.conditions import Condition, ConditionType, Reason
from lccp.api.identity import digest_of, identity_of, settings_of
from lccp.api.labels import INTRINSIC, evaluation_key
from lccp.api.objects.base import StoreObject
from lccp.api.objects.conditions import RunConditions
from lccp.api.objects.journal import AttemptRecord, Control, EvaluationOutcome, Journal, StopRecord
from lccp.api.objects.losses import HeldOutCell, HeldOutLoss, PositionShare
from lccp.api.objects.policy import Policy
from lccp.api.objects.report import EvaluationReport
from lccp.api.objects.run import RunIdentity
from lccp.api.objects.training import (
    End,
    Heartbeat,
    Ledger,
    RouterRecord,
    Spike,
    StepRecord,
)
from lccp.api.objects.verdict import Verdict
from lccp.api.run import LCCPRun
from lccp.probes.heads.retrieval_heads import RetrievalHeadsSettings
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Details
from lccp.probes.registry import PROBES
from lccp.store.keys import RunKeys, writer_name
from lccp.store.port import Store

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
STEP_TOKENS = 4_096
BUDGET_TOKENS = 800 * STEP_TOKENS
HORIZON_TOKENS = 100 * STEP_TOKENS
CHECKPOINTS = tuple(step * STEP_TOKENS for step in range(0, 351, 25))
LENGTHS = (64, 128, 192, 256, 320, 384, 448, 512)
DEPTHS = (0, 25, 50, 75, 100)
SOURCE_LENGTH, TARGET_LENGTH = 256, 512
HAYSTACKS, NEEDLES = 6, 4
LAYERS, HEADS = 3, 4
OTHERS = tuple(name for name in PROBES if name not in ("niah", "retrieval_heads"))
"""Probes whose numbers are made up alike."""
KEYS = RunKeys("default", "tiny")
WRITER = writer_name(1, "0123456789ab")


def now() -> datetime:
    return datetime.now(UTC)


def manifest(**spec: Any) -> dict[str, Any]:
    """A valid LCCPRun; `spec` replaces whole parts of its spec."""
    return {
        "apiVersion": "lccp.io/v1alpha1",
        "kind": "LCCPRun",
        "metadata": {"name": "tiny"},
        "spec": {
            "model": {"source": "model", "targetContextLength": 512, "ropeBase": 40_000},
            "data": {
                "sources": [
                    {"name": "long", "kind": "Long", "path": "long.jsonl"},
                    {"name": "short", "kind": "Short", "path": "short.jsonl"},
                ]
            },
            "training": {
                "tokens": BUDGET_TOKENS,
                "globalBatchTokens": STEP_TOKENS,
                "learningRate": "1.5e-4",
            },
            "checkpoints": {"everyTokens": 25 * STEP_TOKENS},
            "evaluation": {"probes": {"niah": {"lengths": [*LENGTHS], "depthsPercent": [*DEPTHS]}}},
            "saturation": {"minGain": "0.03", "action": "Stop"},
            **spec,
        },
    }


def run(**spec: Any) -> LCCPRun:
    return LCCPRun.parse(manifest(**spec), "fixture")


def identity() -> RunIdentity:
    return identity_of_run(run())


def identity_of_run(the_run: LCCPRun) -> RunIdentity:
    return RunIdentity(
        namespace=the_run.metadata.namespace,
        name=the_run.metadata.name,
        digest=digest_of(identity_of(the_run.spec)),
        identity=identity_of(the_run.spec),
    )


NIAH = NiahSettings(
    lengths=LENGTHS, depths_percent=DEPTHS, haystacks=HAYSTACKS, needles_per_haystack=NEEDLES
)
RETRIEVAL_HEADS = RetrievalHeadsSettings()


def assign(store: Store, the_run: LCCPRun, attempt: int = 1) -> None:
    """Write `run.json` and `control/<attempt>.json`, as whoever starts an attempt does first."""
    keys = RunKeys(the_run.metadata.namespace, the_run.metadata.name)
    control = Control(settings=settings_of(the_run.spec))
    store.put(keys.identity, identity_of_run(the_run).to_json())
    store.put(keys.control(attempt), control.to_json())


@cache
def report(tokens: int) -> EvaluationReport:
    """The report of the checkpoint at `tokens`: PPL falls to a floor, heads and score rise."""
    rng = np.random.default_rng([tokens, 1])
    cells, maps = niah_details(tokens), head_details(tokens)
    beyond = np.array(LENGTHS) > SOURCE_LENGTH
    bands = {"extension": beyond, "guard": ~beyond}
    signals = [
        signal
        for band, chosen in bands.items()
        for signal in niah_values(
            band,
            float(cells["nll"][:, chosen].mean()),
            float(cells["score"][:, chosen].mean()),
            0.004,
            rng,
            needle_spread=0.002,
        )
    ]
    count = float((maps["scores"] > RETRIEVAL_HEADS.threshold).sum())
    heads = heads_values(maps["scores"], (max(0.0, count - 1), count))
    probes = {
        "niah": part("niah", NIAH.document(), signals, cells),
        "retrieval_heads": part("retrieval_heads", RETRIEVAL_HEADS.document(), heads, maps),
        **{
            name: part(
                name,
                PROBES[name].usual.document(),
                any_probe.values(PROBES[name], tokens / BUDGET_TOKENS),
                details(tokens)[name],
            )
            for name in OTHERS
        },
    }
    return report_with(
        probes,
        tokens,
        step=tokens // STEP_TOKENS,
        source_context_length=SOURCE_LENGTH,
        target_context_length=TARGET_LENGTH,
        execution_plan={"device": "cpu", "dtype": "float32", "attention": "sdpa", "batchSize": 8},
        versions={"lccp": "0.1.0", "torch": "2.13.0+cpu", "transformers": "5.17.0"},
        timings={"samples": 0.5, "load": 1.0, "measure": 5.75, "aggregate": 0.25},
    )


def details(tokens: int) -> dict[str, Details]:
    """What lies beside the report at `tokens`, by probe."""
    others = {name: any_probe.details(PROBES[name], tokens / BUDGET_TOKENS) for name in OTHERS}
    return {"niah": niah_details(tokens), "retrieval_heads": head_details(tokens)} | others


@cache
def details_files(tokens: int) -> dict[str, bytes]:
    """The same as files, by name."""
    return {f"{probe}.npz": packed(arrays) for probe, arrays in details(tokens).items()}


_FILES: dict[int, tuple[StoreObject, bytes]] = {}


def file_of(value: StoreObject) -> bytes:
    """Its JSON, made once for each value: most are shared by all tests, and none ever changes."""
    if id(value) not in _FILES:
        _FILES[id(value)] = value, value.to_json()
    return _FILES[id(value)][1]


def reports(checkpoints: Iterable[int] = CHECKPOINTS) -> tuple[EvaluationReport, ...]:
    return tuple(report(tokens) for tokens in checkpoints)


def niah_details(tokens: int) -> Details:
    rng = np.random.default_rng(tokens)
    beyond = np.maximum(0.0, np.array(LENGTHS) / SOURCE_LENGTH - 1)[None, :]
    middle = 1 + 0.6 * np.sin(np.pi * np.array(DEPTHS) / 100)[:, None]
    decay = math.exp(-tokens / (50 * STEP_TOKENS))
    nll = 0.04 + 0.05 * beyond * middle + 0.25 * (0.15 + beyond) * middle * decay
    nll = nll * np.exp(rng.normal(0, 0.02, nll.shape))
    score = np.minimum(1.0, 1.02 - 0.45 * beyond * decay) * np.ones_like(nll)
    within = sum(length <= SOURCE_LENGTH for length in LENGTHS)
    return {
        "lengths": np.array(LENGTHS),
        "depths_percent": np.array(DEPTHS),
        "samples": np.full(nll.shape, HAYSTACKS * NEEDLES),
        "achieved_depth_percent": np.minimum(100.0, np.array(DEPTHS)[:, None] + 0.4 + 0 * nll),
        "nll": nll,
        "ppl": np.exp(nll),
        "mean_ppl": np.exp(nll) * 1.01,
        "score": score,
        "exact": score * 0.98,
        "ppl_by_depth": np.exp(nll[:, within:].mean(axis=1)),
        "ppl_by_depth_guard": np.exp(nll[:, :within].mean(axis=1)),
    }


def head_details(tokens: int) -> Details:
    rng = np.random.default_rng([tokens, 2])
    growth = 1 - 0.6 * math.exp(-tokens / (80 * STEP_TOKENS))
    strength = np.array(
        [[0.01, 0.0, 0.03, 0.02], [0.62, 0.05, 0.2, 0.13], [0.09, 0.81, 0.35, 0.02]]
    )
    scores = np.clip(strength * growth + rng.normal(0, 0.003, (LAYERS, HEADS)), 0, 1)
    noise = rng.normal(0, 0.004, (LAYERS, HEADS))
    halves = np.stack([np.clip(scores + noise, 0, 1), np.clip(scores - noise, 0, 1)])
    return {"scores": scores, "halves": halves}


@cache
def history(steps: int = 350) -> tuple[StepRecord, ...]:
    rng = np.random.default_rng(7)
    return tuple(
        StepRecord(
            step=step,
            tokens=step * STEP_TOKENS,
            loss=3.1 + 0.9 * math.exp(-step / 60) + rng.normal(0, 0.04),
            learning_rate=1.5e-4 * min(1.0, step / 10),
            gradient_norm=1.0 + rng.normal(0, 0.1),
            tokens_per_second=17_000 + rng.normal(0, 700),
            at=START + timedelta(seconds=0.25 * step),
        )
        for step in range(1, steps + 1)
    )


@cache
def policy() -> Policy:
    return policy_of_run(run())


def verdict(of: Iterable[EvaluationReport] | None = None) -> Verdict:
    """The verdict that the rules give on the fixture's reports (all of them by default)."""
    given = reports() if of is None else tuple(of)
    if all(one is report(one.tokens) for one in given):
        return _judged(tuple(one.tokens for one in given))
    return judge(given, policy())


@cache
def _judged(checkpoints: tuple[int, ...]) -> Verdict:
    return judge(reports(checkpoints), policy())


def verdict_with_own_min_gain(min_gain: float) -> Verdict:
    """The same where the leading signal has a least gain of its own."""
    own = policy().model_copy(update={"min_gains": {policy().signal: min_gain}})
    return judge(reports(), own)


ROUTER = RouterRecord(
    entropy=((1.2, 0.9), (1.1, 1.0)),
    busiest_share=((0.3, 0.25), (0.2, 0.4)),
    experts=8,
    experts_per_token=2,
)
SPIKE = Spike(
    step=90, tokens=90 * STEP_TOKENS, signal="Loss", value=9.0, median=3.0, action="Skipped"
)
LEDGER = Ledger(starting=30.0, productive=150.0, saving=20.0)


def held_out(tokens: int) -> HeldOutLoss:
    """A loss that falls beyond the source context alone."""
    fallen = 3.0 - tokens / BUDGET_TOKENS
    of = (("long", "within", 900, 2.5), ("long", "beyond", 300, fallen), ("short", "within", 90, 2))
    return HeldOutLoss(
        tokens=tokens,
        cells=tuple(
            HeldOutCell(source=source, band=band, predicted_tokens=count, loss=loss)
            for source, band, count, loss in of
        ),
    )


def heartbeat(tokens: int = CHECKPOINTS[-1], at: datetime = START) -> Heartbeat:
    return Heartbeat(
        attempt=1,
        writer=WRITER,
        at=at,
        phase="Training",
        step=tokens // STEP_TOKENS,
        tokens=tokens,
        tokens_total=BUDGET_TOKENS,
        accelerators=8,
        loss=3.12,
        learning_rate=1.5e-4,
        gradient_norm=1.01,
        tokens_per_second=17_000.0,
        checkpoints=tuple(t for t in CHECKPOINTS if t <= tokens),
        router=ROUTER,
        spikes=(SPIKE,),
        spikes_total=3,
        loss_by_source={"long": 3.25, "short": 2.5},
        held_out=held_out(tokens),
        position_shares=(
            PositionShare(start=0, end=256, share=0.625),
            PositionShare(start=256, end=512, share=0.375),
        ),
        epochs={"long": 1.25, "short": 0.5},
        peak_memory_bytes=2**30,
        last_save_seconds=1.5,
        ledger=LEDGER,
    )


def journal(stopped: bool = True) -> Journal:
    evaluations = {
        evaluation_key(tokens, INTRINSIC): EvaluationOutcome(
            checkpoint_digest=f"{tokens:064x}", result="Succeeded", tries=1
        )
        for tokens in CHECKPOINTS
    }
    attempt = AttemptRecord(number=1, started_at=START)
    ended = replace_ended(attempt) if stopped else attempt
    stop = StopRecord(
        reason="Saturated", action="Stop", at_tokens=CHECKPOINTS[-1], decided_at=START
    )
    return Journal(attempts=(ended,), evaluations=evaluations, stop=stop if stopped else None)


def replace_ended(attempt: AttemptRecord) -> AttemptRecord:
    ended_at = START + timedelta(minutes=3)
    return attempt.model_copy(update={"ended_at": ended_at, "cause": Cause.DRAINED})


@dataclass(frozen=True)
class StoredRun:
    """What `put` writes; None leaves an object out."""

    reports: tuple[EvaluationReport, ...]
    history: tuple[StepRecord, ...]
    verdict: Verdict | None
    heartbeat: Heartbeat | None
    journal: Journal | None
    end: End | None = None
    conditions: RunConditions | None = None


def said(now: datetime = START) -> RunConditions:
    """What the operator says of a run that trains, and of which an evaluation failed."""
    sentences = {
        ConditionType.ACCEPTED: ("True", Reason.VALID, "the spec is valid"),
        ConditionType.TRAINING: ("True", Reason.RUNNING, "attempt 1 is training"),
        ConditionType.DEGRADED: (
            "True",
            Reason.EVALUATION_FAILED,
            "checkpoint 102,400: the evaluator ran out of memory <limit 4Gi>",
        ),
    }
    return RunConditions(
        conditions=tuple(
            Condition(
                type=kind,
                status=status,
                reason=reason,
                message=message,
                last_transition_time=now,
                observed_generation=2,
            )
            for kind, (status, reason, message) in sentences.items()
        )
    )


def finished() -> StoredRun:
    """The run as it lies in the store after its stop."""
    end = End(
        result=Cause.DRAINED, tokens=CHECKPOINTS[-1], step=350, at=START + timedelta(minutes=3)
    )
    return StoredRun(reports(), history(), verdict(), heartbeat(), journal(), end)


def running(tokens: int, at: datetime = START) -> StoredRun:
    """The run as it lies in the store when it has trained `tokens`."""
    so_far = reports(t for t in CHECKPOINTS if t <= tokens)
    log = tuple(line for line in history() if line.tokens <= tokens)
    return StoredRun(
        so_far,
        log,
        verdict(so_far),
        heartbeat(tokens, at),
        journal(stopped=False),
        conditions=said(at),
    )


def without(stored: StoredRun, *names: str) -> StoredRun:
    return replace(stored, **dict.fromkeys(names))


def put(store: Store, stored: StoredRun, keys: RunKeys = KEYS) -> None:
    """Write the run below `keys`, as operator, trainer and evaluators would."""
    store.put(keys.identity, identity().to_json())
    for one in stored.reports:
        store.put(keys.report(one.tokens), file_of(one))
        for name, data in details_files(one.tokens).items():
            store.put(f"{keys.evaluation(one.tokens)}{name}", data)
    lines = (json.dumps(line.document()) + "\n" for line in stored.history)
    store.put(keys.history(WRITER), "".join(lines).encode())
    objects = {
        keys.verdict: stored.verdict,
        keys.heartbeat(WRITER): stored.heartbeat,
        keys.journal: stored.journal,
        keys.end(WRITER): stored.end,
        keys.conditions: stored.conditions,
    }
    for key, value in objects.items():
        if value is not None:
            store.put(key, file_of(value))
