"""Replaces trainer and evaluator under the real engine: it writes their outputs at once.

Its numbers are those of `a_run`: nothing is trained or measured. `python stand_in.py lccp …` is the
real command line with these stand-ins below it; its engine calls `trainer` and `evaluator`.
"""

import os
import signal
import sys
import time
from pathlib import Path

import a_run

from lccp.api.causes import Cause
from lccp.api.invocation import Invocation
from lccp.api.labels import ANNEAL
from lccp.api.objects.journal import Control
from lccp.api.objects.manifest import FileRecord, Manifest
from lccp.api.objects.training import End
from lccp.store.assignment import attempt_spec
from lccp.store.keys import RunKeys, writer_name
from lccp.store.objects import read
from lccp.store.open import open_store
from lccp_evaluator.checkpoint import read_manifest
from lccp_evaluator.main import of_suite

SECONDS_A_CHECKPOINT = 0.15


def manifest(tokens: int, writer: str) -> Manifest:
    return Manifest(
        kind="Checkpoint",
        tokens=tokens,
        step=tokens // a_run.STEP_TOKENS,
        writer=writer,
        files={"config.json": FileRecord(size=2, sha256=f"{tokens:064x}")},
        source_context_length=a_run.SOURCE_LENGTH,
        target_context_length=a_run.TARGET_LENGTH,
    )


def train(told: Invocation) -> int:
    store, writer = open_store(told.store), writer_name(told.attempt, told.pod_uid)
    run = RunKeys(told.namespace, told.name)
    keys = run if told.branch is None else run.branch(told.branch)
    spec = attempt_spec(store, keys, told.attempt)
    budget, done, result = spec.training.tokens, 0, Cause.COMPLETED
    due = (0, *spec.checkpoints.due(budget))
    if told.branch is not None:
        due = (told.branch + spec.checkpoints.anneal.tokens,)
    for tokens in due:
        if store.stat(keys.checkpoint_manifest(tokens)) is None:
            store.put(keys.checkpoint_manifest(tokens), manifest(tokens, writer).to_json())
            time.sleep(SECONDS_A_CHECKPOINT)
        done = tokens
        beat = a_run.heartbeat(tokens, a_run.now())
        beat = beat.model_copy(
            update={"attempt": told.attempt, "writer": writer, "tokens_total": budget}
        )
        store.put(keys.heartbeat(writer), beat.to_json())
        control = read(store, keys.control(told.attempt), Control)
        if TERMINATED or control.request == "Drain":
            result = Cause.TERMINATED if TERMINATED else Cause.DRAINED
            break
    end = End(result=result, tokens=done, step=done // a_run.STEP_TOKENS, at=a_run.now())
    store.put(keys.end(writer), end.to_json())
    return 75 if result is Cause.TERMINATED else 0


def evaluate(told: Invocation) -> int:
    assert told.tokens is not None
    store = open_store(told.store)
    keys = RunKeys(told.namespace, told.name)
    trained = keys.branch(told.tokens) if told.suite == ANNEAL else keys
    found = read_manifest(store, trained, told.tokens)
    report = a_run.report(told.tokens).model_copy(update={"checkpoint_digest": found.digest})
    report = of_suite(report, told.suite)
    store.put_if_absent(keys.report(told.tokens, told.suite), report.to_json())
    return 0


def command_line(arguments: list[str]) -> None:
    """The real command line, whose engine starts these stand-ins."""
    from lccp_cli.main import main
    from lccp_operator.embedded import engine
    from lccp_operator.embedded.processes import Programs

    script = (sys.executable, str(Path(__file__)))
    engine.Programs = lambda: Programs((*script, "trainer"), (*script, "evaluator"))  # type: ignore[misc,assignment]
    sys.argv = ["lccp", *arguments]
    main()


TERMINATED: list[int] = []

if __name__ == "__main__":
    if sys.argv[1] == "lccp":
        command_line(sys.argv[2:])
    signal.signal(signal.SIGTERM, lambda number, _: TERMINATED.append(number))
    work = {"trainer": train, "evaluator": evaluate}[sys.argv[1]]
    sys.exit(work(Invocation.from_environ(os.environ)))
