"""A series of checkpoints on the terminal: how each ended, then the conclusion."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from rich.console import Console

from lccp.analysis.policy import policy_of_reports
from lccp.analysis.verdict import judge
from lccp.api.objects.report import EvaluationFailure, EvaluationReport
from lccp.api.objects.verdict import Verdict
from lccp.contract.errors import Conflict
from lccp.report.load import RunData
from lccp.report.page.render import write_report
from lccp.report.text import tokens_text
from lccp_cli.options import changed, trained
from lccp_cli.output.verdict import show
from lccp_cli.progress import cost_text, progress_of, progresses

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from lccp_evaluator.estimate import EvaluationCost
    from lccp_evaluator.jobs.jobs import Devices
    from lccp_evaluator.series.checkpoints import CheckpointDirectory
    from lccp_evaluator.series.series import EvaluationSeries


def evaluate_all(
    console: Console,
    series: "EvaluationSeries",
    checkpoints: "Sequence[CheckpointDirectory]",
    devices: "Sequence[Devices]" = ({},),
) -> int:
    """Evaluate the checkpoints without a report, print how each ended, and return how many failed.

    On each of `devices` one is evaluated at a time. Raises InvalidInput, before the first is
    measured, if an existing report belongs to another checkpoint or to other settings.
    """
    count = len(checkpoints)
    names = {
        one: f"[{number}/{count}] {one.path.name}, {tokens_text(one.tokens)} tokens"
        for number, one in enumerate(checkpoints, 1)
    }
    missing = {one: name for one, name in names.items() if series.report(one) is None}
    for one, name in names.items():
        if one not in missing:
            console.print(f"{name}: evaluated before")
    if len(devices) > 1:
        return _several(console, series, missing, devices)
    return _one_by_one(console, series, missing)


def _several(
    console: Console,
    series: "EvaluationSeries",
    names: "Mapping[CheckpointDirectory, str]",
    devices: "Sequence[Devices]",
) -> int:
    from lccp_evaluator.estimate import EvaluationCost
    from lccp_evaluator.jobs.jobs import Jobs
    from lccp_evaluator.progress import Done

    failed, bars = 0, dict[str, "Callable[[Done], None]"]()
    events = Jobs(series, devices).events(tuple(names))
    with progresses(console) as progress, closing(events):
        for checkpoint, event in events:
            name = names[checkpoint]
            if isinstance(event, EvaluationCost):
                console.print(f"{name}: {cost_text(event)}")
            elif isinstance(event, Done):
                bars[name] = bars.get(name) or progress(name)
                bars[name](event)
            elif isinstance(event, EvaluationFailure):
                console.print(f"{name}: failed: {event.message}")
                failed += 1
    return failed


def _one_by_one(
    console: Console, series: "EvaluationSeries", names: "Mapping[CheckpointDirectory, str]"
) -> int:
    failed = 0
    for checkpoint, name in names.items():
        if series.report(checkpoint) is not None:
            console.print(f"{name}: evaluated meanwhile by another command")
            continue
        try:
            failed += isinstance(evaluated(console, series, checkpoint, name), EvaluationFailure)
        except Conflict as error:
            console.print(f"{name}: failed: {error}")
            failed += 1
    return failed


def evaluated(
    console: Console, series: "EvaluationSeries", checkpoint: "CheckpointDirectory", name: str
) -> EvaluationReport | EvaluationFailure:
    """The report of a checkpoint, measured now, or its failure, printed on the console."""

    def told(cost: "EvaluationCost") -> None:
        console.print(f"{name}: {cost_text(cost)}")

    with progress_of(console, name) as progress:
        result = series.evaluate(checkpoint, progress, told)
    if isinstance(result, EvaluationFailure):
        console.print(f"{name}: failed: {result.message}")
    return result


def verdict_over(
    reports: "Sequence[EvaluationReport]",
    budget: str | None = None,
    horizon_tokens: str | None = None,
) -> Verdict:
    """The verdict by the defaults and the given options. Raises InvalidInput, naming the option."""
    policy = trained(policy_of_reports(reports), budget, None, None)
    given = {} if horizon_tokens is None else {"horizon_tokens": horizon_tokens}
    return judge(reports, changed(policy, given))


def conclude(
    console: Console,
    out: Path,
    judged: "Callable[[Sequence[EvaluationReport]], Verdict]" = verdict_over,
) -> None:
    """Print the verdict over all reports in `out`, and write its page there."""
    data = RunData.from_folder(out)
    verdict = judged(data.reports)
    console.print()
    show(verdict)
    page = write_report(replace(data, verdict=verdict), out / "report.html")
    console.print(f"\nReport: {page}\nNext:   lccp analyze {quote(str(out))}")
