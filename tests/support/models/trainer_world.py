"""Worlds for the trainer: a very small model, documents for it, a store, and real attempts."""

import os
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import a_run
import psutil

from lccp.api.identity import settings_of
from lccp.api.invocation import Invocation, StoreConfig
from lccp.api.objects.journal import Control
from lccp.api.objects.manifest import Manifest
from lccp.api.objects.training import End, Heartbeat, StepRecord
from lccp.api.run import LCCPRun
from lccp.api.spec.sft import SFTSpec
from lccp.store.directory import upload_directory
from lccp.store.keys import RunKeys, TrainingKeys
from lccp.store.objects import write
from lccp.store.open import open_store
from lccp.store.port import Store

ROW = 128
BATCH_ROWS = 8
DEADLINE_SECONDS = 240.0


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


@dataclass
class World:
    """A folder with a model, documents and a store; it makes specs and attempts."""

    root: Path
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)
    bucket: StoreConfig | None = None
    """Of the store, if it is not in the folder."""

    @property
    def store_config(self) -> StoreConfig:
        return self.bucket or StoreConfig(url=f"file://{self.root}/store")

    @property
    def store(self) -> Store:
        return open_store(self.store_config)

    def document(self, **spec: Any) -> dict[str, Any]:
        """A manifest that trains 20 steps, with parts of the spec replaced."""
        base = {
            "model": {"source": "model", "targetContextLength": ROW, "ropeBase": 40_000},
            "data": {
                "sources": [
                    {"name": "long", "kind": "Long", "path": "data/long.jsonl"},
                    {"name": "short", "kind": "Short", "path": "data/short.jsonl.gz"},
                ]
            },
            "training": {
                "tokens": 20 * BATCH_ROWS * ROW,
                "globalBatchTokens": BATCH_ROWS * ROW,
                "microBatchSize": 2,
                "learningRate": "1e-3",
                "precision": "FP32",
            },
            "topology": {"nodes": 2, "terminationGracePeriodSeconds": 30},
            "checkpoints": {"everyTokens": 10 * BATCH_ROWS * ROW},
        }
        return {"metadata": {"name": "run"}, "spec": merged(base, spec)}

    def environ(self, document: dict[str, Any], attempt: int = 1, **more: str) -> dict[str, str]:
        run = LCCPRun.parse(document, "run")
        if not (self.root / "store").is_file():
            a_run.assign(self.store, run, attempt)
        invocation = Invocation(
            namespace=run.metadata.namespace,
            name=run.metadata.name,
            store=self.store_config,
            attempt=attempt,
            pod_uid=str(uuid.uuid4()),
            base_directory=str(self.root),
        )
        return invocation.to_environ() | more

    def checkpoint(self, tokens: int) -> Manifest:
        """Publish the model of this world as the run's checkpoint of `tokens`."""
        keys, writer = RunKeys("default", "run"), "a1-00000000"
        (self.root / "store").mkdir(exist_ok=True)
        files = upload_directory(self.store, self.root / "model", keys.checkpoint(tokens, writer))
        manifest = Manifest(
            kind="Checkpoint",
            tokens=tokens,
            step=0,
            writer=writer,
            files=files,
            source_context_length=64,
            target_context_length=ROW,
        )
        write(self.store, keys.checkpoint_manifest(tokens), manifest)
        return manifest

    def told_to_fine_tune(
        self, sft: dict[str, Any], tokens: int, attempt: int = 1, **spec: Any
    ) -> dict[str, str]:
        """The environment of an `lccp-train` that fine-tunes the checkpoint of `tokens`."""
        document = self.document(**spec)
        settings = settings_of(LCCPRun.parse(document, "run").spec)
        control = Control(settings=settings, sft=SFTSpec.parse(sft, "sft"))
        key = RunKeys("default", "run").fine_tuning(tokens).control(attempt)
        write(self.store, key, control)
        told = {"LCCP_OBJECTIVE": "SFT", "LCCP_TOKENS": str(tokens)}
        return self.environ(document, attempt, **told)

    def fine_tune(
        self, sft: dict[str, Any], tokens: int, attempt: int = 1, **spec: Any
    ) -> "Attempt":
        """Start an `lccp-train` that fine-tunes the checkpoint of `tokens`."""
        keys = RunKeys("default", "run").fine_tuning(tokens)
        return self.launch(self.told_to_fine_tune(sft, tokens, attempt, **spec), keys)

    def branch(
        self, document: dict[str, Any], tokens: int, attempt: int = 1, **asked: Any
    ) -> "Attempt":
        """Start an `lccp-train` for an attempt of the branch from the state of `tokens`.

        `asked`: what its control says beside its settings.
        """
        run = LCCPRun.parse(document, "run")
        keys = RunKeys("default", run.metadata.name).branch(tokens)
        environ = self.environ(document, attempt, LCCP_BRANCH=str(tokens))
        write(self.store, keys.control(attempt), Control(settings=settings_of(run.spec), **asked))
        return self.launch(environ, keys)

    def start(self, document: dict[str, Any], attempt: int = 1, **more: str) -> "Attempt":
        """Start `lccp-train` for an attempt."""
        environ = self.environ(document, attempt, **more)
        return self.launch(environ, RunKeys("default", document["metadata"]["name"]))

    def launch(self, environ: dict[str, str], keys: TrainingKeys) -> "Attempt":
        (self.root / "store").mkdir(exist_ok=True)
        log = self.root / f"attempt-{len(self.started)}.log"
        with log.open("w") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "lccp_trainer.launch"],
                env=os.environ | {"OMP_NUM_THREADS": "1"} | environ,
                stderr=errors,
            )
        self.started.append(process)
        writer = f"a{environ['LCCP_ATTEMPT']}-{environ['LCCP_POD_UID'][:8]}"
        return Attempt(process, self.store, keys, writer, log)

    def close(self) -> None:
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()


@dataclass
class Attempt:
    """A started `lccp-train`."""

    process: subprocess.Popen[bytes]
    store: Store
    keys: TrainingKeys
    writer: str
    log_path: Path

    def wait(self) -> int:
        """The exit code."""
        return self.process.wait(timeout=DEADLINE_SECONDS)

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for_step(self, step: int, seconds: float = DEADLINE_SECONDS) -> None:
        """Wait until its heartbeat has reached `step`, `seconds` at most."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None and time.monotonic() < deadline:
            if self.store.stat(self.keys.heartbeat(self.writer)) and self.heartbeat.step >= step:
                return
            time.sleep(0.05)
        raise AssertionError(f"never reached step {step}: {self.log}")

    def ranks(self) -> dict[int, psutil.Process]:
        """Its processes that train, by rank."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        ranks = (p for p in below if "lccp_trainer.launch.torchrun" not in p.cmdline())
        return {int(p.environ()["RANK"]): p for p in ranks}

    @property
    def heartbeat(self) -> Heartbeat:
        key = self.keys.heartbeat(self.writer)
        return Heartbeat.from_json(self.store.get(key), key)

    @property
    def end(self) -> End:
        key = self.keys.end(self.writer)
        return End.from_json(self.store.get(key), key)

    @property
    def history(self) -> list[StepRecord]:
        lines = self.store.get(self.keys.history(self.writer)).splitlines()
        return [StepRecord.model_validate_json(line) for line in lines]
