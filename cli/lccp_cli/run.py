"""`lccp run`: a whole run on this machine, by the plan that a cluster's operator follows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lccp.api.exits import ExitCode
from lccp_cli.endpoint import Endpoint

if TYPE_CHECKING:
    from lccp.api.invocation import StoreConfig
    from lccp.report.load import RunData
    from lccp_cli.stages import Stages
    from lccp_operator.embedded import Outcome

STORE = "file://runs"
INTERRUPTED = 130
FAILED = 1


def run(
    manifest: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="YAML file that holds an LCCPRun.")
    ],
    store: Annotated[
        str,
        typer.Option(help="Where checkpoints and reports go: file://folder or s3://bucket/prefix."),
    ] = STORE,
    endpoint: Endpoint = None,
) -> None:
    """Train, measure every checkpoint while training goes on, judge, stop, and leave a report.

    The same command goes on where a run was interrupted; of a finished run it says the verdict.
    Exit codes: 0 succeeded or suspended, 1 failed, 2 wrong input, 130 interrupted.

    Examples:

        lccp run examples/tiny/run.yaml
        lccp run my-run.yaml --store s3://bucket/prefix --endpoint https://s3.example.org
    """
    from lccp.api.invocation import StoreConfig
    from lccp_cli.console import standard_output
    from lccp_cli.manifest import load_manifest
    from lccp_cli.preflight import check_files
    from lccp_cli.stages import Stages
    from lccp_cli.watch import watching
    from lccp_operator.embedded import run as run_embedded

    the_run = load_manifest(manifest)
    check_files(the_run, manifest)
    config = StoreConfig(url=store, endpoint=endpoint)
    console = standard_output()
    stages = Stages.of(console, total=3)
    with stages.stage("training and measuring") as heading, watching(console, heading) as on_look:
        outcome = run_embedded(the_run, config, manifest.parent, on_look)
    _finish(stages, outcome, config, _command(manifest, store))
    raise typer.Exit(exit_code(outcome))


def _finish(stages: "Stages", outcome: "Outcome", config: "StoreConfig", command: str) -> None:
    """Judge, write the report, and print the last screen."""
    from lccp.report.judged import verdict_of
    from lccp.report.page.render import write_report
    from lccp.report.summary import Summary
    from lccp_cli.ending import last_screen

    summary, page = None, None
    with stages.stage("verdict"):
        data = _facts(outcome, config)
        if data is not None:
            summary = Summary.of(data, verdict_of(data))
    if data is not None:
        with stages.stage("report"):
            page = write_report(data, _near(outcome.directory) / "report.html")
    stages.console.print()
    for line in last_screen(outcome, command, summary, page):
        stages.console.print(line, markup=False, soft_wrap=True)


def _facts(outcome: "Outcome", config: "StoreConfig") -> "RunData | None":
    """What the store holds of the run; None if nothing was trained or measured."""
    from lccp.report.load import RunData
    from lccp.store.keys import RunKeys
    from lccp.store.open import open_store

    store, metadata = open_store(config), outcome.run.metadata
    keys = RunKeys(metadata.namespace, metadata.name)
    if store.stat(keys.identity) is None:
        return None
    data = RunData.from_store(store, keys)
    return data if data.reports or data.history else None


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


def _near(path: Path) -> Path:
    """`path` from the working folder, if it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
