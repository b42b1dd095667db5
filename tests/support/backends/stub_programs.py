"""Stub programs for the trainer and the evaluator: quick, obedient, only of the standard library.
They write what is prepared as `ready/<kind>-<tokens>.json` beside the store, or in another folder
(`--ready`). A branch takes EVERY_TOKENS, and saves one checkpoint, at its end.

    python stub_programs.py trainer EVERY_TOKENS  [--steps STEPS] [--fail ATTEMPT:CODE] [--deaf]
                                                  [--wait-at TOKENS [--until FILE]] [--hoard]
                                                  [--field NAME] [--from-zero] [--ready FOLDER]
                                                  [--telling]
    python stub_programs.py evaluator DONE_FILE  [--fail TRIES:CODE]
                                                 [--hang-at TOKENS [--hang-tries TRIES]]
                                                 [--field NAME] [--ready FOLDER]

With `--telling` heartbeats name the complete checkpoints, and go on while it waits. With
`--from-zero` the model before training is a checkpoint too. With `--field` each object that they
write has an additional field of this name, like those of a newer version.
"""

import argparse
import contextlib
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CAUSES = {
    64: "Configuration",
    69: "StoreUnreachable",
    70: "Internal",
    74: "Hang",
    75: "Terminated",
    76: "NotFinite",
    77: "StoreRefused",
}
STEP_SECONDS = 0.05
STEP_TOKENS = 4_096
MADE_UP = {"loss": 3.0, "learningRate": 1e-4, "tokensPerSecond": 1e4}
ATTEMPT = int(os.environ["LCCP_ATTEMPT"])
ROOT = Path(json.loads(os.environ["LCCP_STORE"])["url"].removeprefix("file://"))
RUN = ROOT / os.environ["LCCP_RUN"]
BRANCH = int(os.environ.get("LCCP_BRANCH", 0))
PREFIX = RUN / f"branches/{BRANCH:015d}" if BRANCH else RUN
SUITE = os.environ.get("LCCP_SUITE", "intrinsic")
READY = [ROOT / "ready"]
RANK = int(os.environ.get("JOB_COMPLETION_INDEX", 0))
PART = ROOT / f"part-{os.environ['LCCP_POD_UID']}"
ADDED: dict[str, object] = {}
"""Fields that each object has besides."""


def place(key: str) -> Path:
    path = PREFIX / key
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def put(key: str, document: dict[str, object]) -> None:
    PART.write_text(json.dumps({"schemaVersion": 1} | document | ADDED))
    PART.rename(place(key))


def put_if_absent(key: str, document: dict[str, object]) -> None:
    PART.write_text(json.dumps({"schemaVersion": 1} | document | ADDED))
    with contextlib.suppress(FileExistsError):
        os.link(PART, place(key))
    PART.unlink()


def ready(kind: str, tokens: int) -> dict[str, object]:
    """What lies ready to be written."""
    found: dict[str, object] = json.loads((READY[-1] / f"{kind}-{tokens}.json").read_text())
    return found


def control() -> dict[str, Any]:
    """What this attempt is asked."""
    found: dict[str, Any] = json.loads((RUN / f"control/{ATTEMPT}.json").read_text())
    return found


def saved(*kinds: str) -> list[int]:
    """Tokens of the complete objects of these kinds, ascending."""
    found = (path for kind in kinds for path in PREFIX.glob(f"{kind}/*/manifest.json"))
    return sorted(int(path.parent.name) for path in found)


def newest(*kinds: str) -> int:
    """Tokens of the newest of them; 0 if there is none."""
    return max(saved(*kinds), default=0)


def now() -> str:
    return datetime.now(UTC).isoformat()


def fails(option: str | None) -> int:
    """The exit code that was ordered for this attempt or try; 0 for none."""
    last, code = map(int, (option or "0:0").split(":"))
    return code if last >= ATTEMPT else 0


class Trainer:
    """Goes on from the newest checkpoint or state; a checkpoint takes one step, or more."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.writer = f"a{ATTEMPT}-{os.environ['LCCP_POD_UID'][:8]}"
        self.tokens = max(BRANCH, newest("checkpoints", "state"))
        self.budget = int(control()["settings"]["training"]["tokens"])
        if BRANCH:
            self.budget = BRANCH + options.every
        self.terminated = False
        self.began = time.monotonic()

    def work(self) -> int:
        signal.signal(signal.SIGTERM, self.on_sigterm)
        print(f"threads {os.environ['OMP_NUM_THREADS']}, niceness {os.nice(0)}", flush=True)
        if RANK > 0:
            return self.follow()
        if (control().get("newestState") or 0) > self.tokens:
            return self.end("StoreRefused", 77)
        if self.options.from_zero and not self.tokens:
            self.save_checkpoint()
        self.beat()
        if self.options.hoard:
            return self.hoard()
        while self.tokens < self.budget:
            time.sleep(STEP_SECONDS)
            if self.terminated:
                self.save_state()
                return self.end("Terminated", 75)
            if self.is_to_drain():
                self.save_state()
                return self.end("Drained", 0)
            if not self.waits():
                self.step()
            elif self.options.telling:
                self.beat()
            if fails(self.options.fail):
                code = fails(self.options.fail)
                return self.end(CAUSES[code], code)
        return self.end("Completed", 0)

    def follow(self) -> int:
        """A rank that writes nothing: it ends as rank 0 does."""
        while newest("checkpoints") < self.budget and not self.is_to_drain():
            time.sleep(STEP_SECONDS)
            if self.terminated:
                return 75
        return 0

    def is_to_drain(self) -> bool:
        return control().get("request") == "Drain"

    def waits(self) -> bool:
        """It was ordered to wait here, and what it waits for is not there yet."""
        until = self.options.until
        return self.tokens == self.options.wait_at and not (until and Path(until).exists())

    def on_sigterm(self, number: int, frame: object) -> None:
        self.terminated = not self.options.deaf

    def hoard(self) -> int:
        """A rank, which is a process of its own, takes more memory than there is."""
        rank = os.fork()
        held = []
        while rank == 0:
            held.append(b"x" * 2**20)
        os.waitpid(rank, 0)
        return self.end("Internal", 70)

    def step(self) -> None:
        due = self.due()
        self.tokens = min(self.tokens + self.options.every // self.options.steps, due)
        if self.tokens == due:
            self.save_checkpoint()
        with place(f"training/{self.writer}/history.jsonl").open("a") as history:
            history.write(json.dumps(self.measured() | ADDED) + "\n")
        self.beat()

    def due(self) -> int:
        """Tokens of the next checkpoint."""
        if BRANCH:
            return self.budget
        every = self.options.every
        asked = control()["settings"].get("checkpoints", {}).get("anneal") or {}
        points = [(self.tokens // every + 1) * every, self.budget, *asked.get("atTokens", ())]
        return min(tokens for tokens in points if tokens > self.tokens)

    def measured(self) -> dict[str, object]:
        """A line of the history, with made-up numbers."""
        return MADE_UP | {"step": self.tokens // STEP_TOKENS, "tokens": self.tokens, "at": now()}

    def save_checkpoint(self) -> None:
        weights = place(f"checkpoints/{self.tokens:015d}/{self.writer}/model.safetensors")
        weights.write_text(str(self.tokens))
        manifest = ready("manifest", self.tokens) | {"writer": self.writer}
        put_if_absent(f"checkpoints/{self.tokens:015d}/manifest.json", manifest)

    def save_state(self) -> None:
        manifest = ready("manifest", self.options.every)
        manifest |= {"kind": "State", "tokens": self.tokens, "writer": self.writer, "files": {}}
        put_if_absent(f"state/{self.tokens:015d}/manifest.json", manifest)

    def beat(self) -> None:
        beat = {
            "attempt": ATTEMPT,
            "writer": self.writer,
            "at": now(),
            "phase": "Training",
            "tokens": self.tokens,
            "tokensTotal": self.budget,
            "checkpoints": saved("checkpoints") if self.options.telling else [],
            "ledger": self.ledger(),
        }
        put(f"training/{self.writer}/heartbeat.json", beat)

    def ledger(self) -> dict[str, float]:
        return {"productive": time.monotonic() - self.began}

    def end(self, result: str, code: int) -> int:
        end = {"result": result, "tokens": self.tokens, "at": now(), "ledger": self.ledger()}
        put(f"training/{self.writer}/end.json", end)
        return code


def evaluate(options: argparse.Namespace) -> int:
    """Write the report, and a line into DONE_FILE."""
    tokens = int(os.environ["LCCP_TOKENS"])
    print(f"threads {os.environ['OMP_NUM_THREADS']}, niceness {os.nice(0)}", flush=True)
    if fails(options.fail):
        return fails(options.fail)
    while tokens == options.hang_at and options.hang_tries >= ATTEMPT:
        time.sleep(1)
    with Path(options.done).open("a") as done:
        done.write(f"{tokens}\n")
    kind = "report" if SUITE == "intrinsic" else f"report-{SUITE}"
    put_if_absent(f"evaluations/{tokens:015d}/{SUITE}/report.json", ready(kind, tokens))
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(dest="role", required=True)
    trainer, evaluator = roles.add_parser("trainer"), roles.add_parser("evaluator")
    trainer.add_argument("every", type=int)
    trainer.add_argument("--steps", type=int, default=1)
    trainer.add_argument("--hoard", action="store_true")
    trainer.add_argument("--wait-at", type=int)
    trainer.add_argument("--until")
    trainer.add_argument("--deaf", action="store_true")
    trainer.add_argument("--from-zero", action="store_true")
    trainer.add_argument("--telling", action="store_true")
    evaluator.add_argument("done")
    evaluator.add_argument("--hang-at", type=int)
    evaluator.add_argument("--hang-tries", type=int, default=99)
    for role in (trainer, evaluator):
        role.add_argument("--fail")
        role.add_argument("--field", action="append", default=[])
        role.add_argument("--ready", type=Path, action="append", default=[])
    options = parser.parse_args()
    READY.extend(options.ready)
    ADDED.update({name: {"known": False} for name in options.field})
    if "LCCP_EXTERNAL_SUITE" in os.environ:  # the real evaluator runs it
        os.execv(sys.executable, [sys.executable, "-m", "lccp_evaluator"])
    return Trainer(options).work() if options.role == "trainer" else evaluate(options)


if __name__ == "__main__":
    sys.exit(main())
