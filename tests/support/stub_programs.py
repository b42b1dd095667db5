"""Programs that stand for the trainer and the evaluator: quick, obedient, of the standard library
alone. They write what lies ready as `ready/<kind>-<tokens>.json` beside the store's objects.

    python stub_programs.py trainer EVERY_TOKENS  [--fail ATTEMPT:CODE] [--wait-at TOKENS] [--deaf]
    python stub_programs.py evaluator DONE_FILE  [--fail TRIES:CODE] [--hang-at TOKENS]
"""

import argparse
import json
import os
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

CAUSES = {
    64: "Configuration",
    69: "StoreUnreachable",
    70: "Internal",
    74: "Hang",
    75: "Terminated",
    76: "NotFinite",
}
STEP_SECONDS = 0.05
RUN = json.loads(os.environ["LCCP_RUN"])
ATTEMPT = int(os.environ["LCCP_ATTEMPT"])
ROOT = Path(json.loads(os.environ["LCCP_STORE"])["url"].removeprefix("file://"))
PREFIX = ROOT / RUN["metadata"]["namespace"] / RUN["metadata"]["name"]


def put(key: str, document: dict[str, object]) -> None:
    path = PREFIX / key
    path.parent.mkdir(parents=True, exist_ok=True)
    part = ROOT / f"part-{os.getpid()}"
    part.write_text(json.dumps({"schemaVersion": 1} | document))
    part.rename(path)


def put_ready(kind: str, tokens: int, key: str) -> None:
    """Put-if-absent of what lies ready."""
    target = PREFIX / key
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        os.link(ROOT / "ready" / f"{kind}-{tokens}.json", target)


def now() -> str:
    return datetime.now(UTC).isoformat()


def fails(option: str | None) -> int:
    """The exit code that was ordered for this attempt or try; 0 for none."""
    last, code = map(int, (option or "0:0").split(":"))
    return code if last >= ATTEMPT else 0


class Trainer:
    """Goes on from the newest checkpoint, a checkpoint a step."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.writer = f"a{ATTEMPT}-{os.environ['LCCP_POD_UID'][:8]}"
        made = (int(path.parent.name) for path in PREFIX.glob("checkpoints/*/manifest.json"))
        self.tokens = max(made, default=0)
        self.terminated = False

    def work(self) -> int:
        signal.signal(signal.SIGTERM, self.on_sigterm)
        print(f"threads {os.environ['OMP_NUM_THREADS']}, niceness {os.nice(0)}", flush=True)
        self.beat()
        while self.tokens < RUN["spec"]["training"]["tokens"]:
            time.sleep(STEP_SECONDS)
            if self.terminated:
                return self.end("Terminated", 75)
            if (PREFIX / f"control/{ATTEMPT}.json").exists():
                return self.end("Drained", 0)
            if self.tokens != self.options.wait_at:
                self.step()
            if fails(self.options.fail):
                code = fails(self.options.fail)
                return self.end(CAUSES[code], code)
        return self.end("Completed", 0)

    def on_sigterm(self, number: int, frame: object) -> None:
        self.terminated = not self.options.deaf

    def step(self) -> None:
        self.tokens += self.options.every
        put_ready("manifest", self.tokens, f"checkpoints/{self.tokens:015d}/manifest.json")
        self.beat()

    def beat(self) -> None:
        beat = {
            "attempt": ATTEMPT,
            "writer": self.writer,
            "at": now(),
            "phase": "Training",
            "tokens": self.tokens,
            "tokensTotal": RUN["spec"]["training"]["tokens"],
        }
        put(f"training/{self.writer}/heartbeat.json", beat)

    def end(self, result: str, code: int) -> int:
        end = {"result": result, "tokens": self.tokens, "at": now()}
        put(f"training/{self.writer}/end.json", end)
        return code


def evaluate(options: argparse.Namespace) -> int:
    """Write the report, and a line into DONE_FILE."""
    tokens = int(os.environ["LCCP_TOKENS"])
    print(f"threads {os.environ['OMP_NUM_THREADS']}, niceness {os.nice(0)}", flush=True)
    if fails(options.fail):
        return fails(options.fail)
    while tokens == options.hang_at:
        time.sleep(1)
    with Path(options.done).open("a") as done:
        done.write(f"{tokens}\n")
    put_ready("report", tokens, f"evaluations/{tokens:015d}/report.json")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser()
    roles = parser.add_subparsers(dest="role", required=True)
    trainer, evaluator = roles.add_parser("trainer"), roles.add_parser("evaluator")
    trainer.add_argument("every", type=int)
    trainer.add_argument("--wait-at", type=int)
    trainer.add_argument("--deaf", action="store_true")
    evaluator.add_argument("done")
    evaluator.add_argument("--hang-at", type=int)
    for role in (trainer, evaluator):
        role.add_argument("--fail")
    options = parser.parse_args()
    return Trainer(options).work() if options.role == "trainer" else evaluate(options)


if __name__ == "__main__":
    sys.exit(main())
