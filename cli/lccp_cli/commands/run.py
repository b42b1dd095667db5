"""`lccp run`: a whole run on this machine, planned as by a cluster's operator."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

import typer

from lccp.api.exits import ExitCode
from lccp_cli import INTERRUPTED
from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from rich.console import Console

    from lccp.api.invocation import StoreConfig
    from lccp.report.load import RunData
    from lccp.report.summary import Summary
    from lccp_operator.embedded import Outcome

STORE = "file://runs"
STAGES_BEFORE = "LCCP_STAGES_BEFORE"
FAILED = 1


def run(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that contains an LCCPRun.")
    ],
    store: Annotated[
        str,
        typer.Option(help="Where checkpoints and reports go: file://folder or s3://bucket/prefix."),
    ] = STORE,
    endpoint: Endpoint = None,
) -> None:
    """Train on this machine, evaluate every checkpoint, judge, stop, and write a report.

    Run the same command again to resume an interrupted run; for a finished run it prints the
    verdict. Exit codes: 0 succeeded or suspended, 1 failed, 2 invalid input, 130 interrupted.

    Examples:

        lccp run examples/tiny/run.yaml
        lccp run my-run.yaml --store s3://bucket/prefix --endpoint https://s3.example.org
    """
    from lccp.api.invocation import StoreConfig
    from lccp_cli.live.run import watching
    from lccp_cli.manifest import check_files, load_manifest
    from lccp_cli.output.console import standard_output
    from lccp_operator.embedded import run as run_embedded

    the_run = load_manifest(manifest)
    check_files(the_run, manifest)
    config = StoreConfig(url=store, endpoint=endpoint)
    console = standard_output()
    stages = Stages.of(console, total=3)
    with (
        stages.stage("training and evaluation") as heading,
        watching(console, heading) as on_snapshot,
    ):
        outcome = run_embedded(the_run, config, manifest.parent, on_snapshot)
    _finish(stages, outcome, config, _command(manifest, store))
    raise typer.Exit(exit_code(outcome))


class Stages:
    """Numbered stages with their times; `before` were already done by the caller."""

    def __init__(self, console: "Console", total: int, before: int = 0) -> None:
        self.console = console
        self._total = total + before
        self._number = before

    @classmethod
    def of(cls, console: "Console", total: int) -> Self:
        """`total` stages, after as many as LCCP_STAGES_BEFORE says."""
        before = os.environ.get(STAGES_BEFORE, "")
        return cls(console, total, int(before) if before.isdecimal() else 0)

    @contextmanager
    def stage(self, name: str) -> Iterator[str]:
        """Yield the heading of the next stage, and print it with its time at the end."""
        from lccp.report.text import duration_text

        self._number += 1
        heading = f"[{self._number}/{self._total}] {name}"
        start = time.monotonic()
        yield heading
        took = duration_text(time.monotonic() - start)
        self.console.print(f"{heading}: {took}")


def _finish(stages: Stages, outcome: "Outcome", config: "StoreConfig", command: str) -> None:
    """Judge, write the report, and print the closing lines."""
    from lccp.report.judged import verdict_of
    from lccp.report.page.render import write_report
    from lccp.report.summary import Summary

    summary, page = None, None
    with stages.stage("verdict"):
        data = _facts(outcome, config)
        if data is not None:
            summary = Summary.of(data, verdict_of(data))
    if data is not None:
        with stages.stage("report"):
            page = write_report(data, _relative(outcome.directory) / "report.html")
    stages.console.print()
    for line in closing_lines(outcome, command, summary, page):
        stages.console.print(line, soft_wrap=True)


def _facts(outcome: "Outcome", config: "StoreConfig") -> "RunData | None":
    """The stored facts of the run; None if nothing was trained or evaluated."""
    from lccp.report.load import RunData
    from lccp.store.keys import RunKeys
    from lccp.store.open import open_store

    store, metadata = open_store(config), outcome.run.metadata
    keys = RunKeys(metadata.namespace, metadata.name)
    if store.stat(keys.identity) is None:
        return None
    data = RunData.from_store(store, keys)
    return data if data.reports or data.history else None


def closing_lines(
    outcome: "Outcome", command: str, summary: "Summary | None", page: Path | None
) -> Iterator[str]:
    """The result in at most twelve lines.

    `summary` and `page` are None if nothing was trained or evaluated.
    """
    if outcome.state == "Interrupted":
        yield "Interrupted: run the same command again to resume."
    elif outcome.state != "Succeeded":
        yield f"{outcome.state}: {outcome.message}."
    if summary is not None:
        yield summary.verdict
        if summary.ceiling_against_signal:
            yield summary.ceiling_against_signal
        yield _trained(summary)
    if page is not None:
        yield f"Report: {page}"
    yield f"Next:   {_next(outcome, command, page)}"


def _trained(summary: "Summary") -> str:
    """Tokens trained, and tokens and FLOPs saved by the stop."""
    from lccp.report.text import percent_text, scientific_text, tokens_text

    done = f"Trained {tokens_text(summary.trained_tokens)}"
    if summary.budget_tokens is None:
        return f"{done} tokens."
    done = f"{done} of {tokens_text(summary.budget_tokens)} tokens"
    if summary.saved is None:
        return f"{done}."
    saved = f"{tokens_text(summary.saved.tokens)} tokens ({percent_text(summary.saved.share)})"
    flops = summary.saved.flops
    about = f", about {scientific_text(flops)} FLOPs" if flops else ""
    return f"{done}; the stop saved {saved}{about}."


def _next(outcome: "Outcome", command: str, page: Path | None) -> str:
    match outcome.state:
        case "Interrupted":
            return command
        case "Failed":
            return f"read the logs in {outcome.directory / 'logs'}, then {command}"
        case _ if page is not None:
            return f"open the report in a browser; lccp analyze {page.parent}"
        case _:
            return command


def exit_code(outcome: "Outcome") -> int:
    match outcome.state:
        case "Succeeded" | "Suspended":
            return ExitCode.OK
        case "Interrupted":
            return INTERRUPTED
        case "Failed":
            from lccp.api.conditions import ConditionType, Reason

            wrong_input = outcome.conditions[ConditionType.FAILED].reason is Reason.CONFIGURATION
            return ExitCode.USAGE if wrong_input else FAILED


def _command(manifest: Path, store: str) -> str:
    return f"lccp run {manifest}" + ("" if store == STORE else f" --store {store}")


def _relative(path: Path) -> Path:
    """`path` relative to the working directory, if it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
