"""A series of checkpoints on the terminal: one after another, then the conclusion."""

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
from lccp_cli.commands.analyze import show
from lccp_cli.options import changed, trained
from lccp_cli.progress import cost_text, progress_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lccp_evaluator.estimate import Estimate
    from lccp_evaluator.series.checkpoints import CheckpointDirectory
    from lccp_evaluator.series.series import Series


def evaluate_all(
    console: Console, series: "Series", checkpoints: "Sequence[CheckpointDirectory]"
) -> int:
    """Evaluate the checkpoints without a report, print how each ended, and return how many failed.

    Raises InvalidInput, before the first is measured, if an existing report belongs to another
    checkpoint or to other settings.
    """
    measured = [series.report(checkpoint) is not None for checkpoint in checkpoints]
    failed = 0
    for number, (checkpoint, before) in enumerate(zip(checkpoints, measured, strict=True), 1):
        name = f"[{number}/{len(checkpoints)}] {checkpoint.path.name}"
        name = f"{name}, {tokens_text(checkpoint.tokens)} tokens"
        if before:
            console.print(f"{name}: evaluated before", markup=False)
            continue
        try:
            failed += isinstance(evaluated(console, series, checkpoint, name), EvaluationFailure)
        except Conflict as error:
            console.print(f"{name}: failed: {error}", markup=False)
            failed += 1
    return failed


def evaluated(
    console: Console, series: "Series", checkpoint: "CheckpointDirectory", name: str
) -> EvaluationReport | EvaluationFailure:
    """The report of a checkpoint, measured now, or its failure, printed on the console."""

    def told(cost: "Estimate") -> None:
        console.print(f"{name}: {cost_text(cost)}", markup=False)

    with progress_of(console, name) as progress:
        result = series.evaluate(checkpoint, progress, told)
    if isinstance(result, EvaluationFailure):
        console.print(f"{name}: failed: {result.message}", markup=False)
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
    console.print(f"\nReport: {page}\nNext:   lccp analyze {quote(str(out))}", markup=False)
