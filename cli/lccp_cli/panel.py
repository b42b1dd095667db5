"""The live view: progress of the training, and a row for each checkpoint."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lccp.api.labels import tokens_key
from lccp.api.objects.report import EvaluationProgress
from lccp.api.objects.training import Heartbeat
from lccp.report.text import duration_text, percent_text, tokens_text
from lccp_cli.console import checkpoint_table
from lccp_operator.embedded import Look

BAR_WIDTH = 80
LINES_BESIDE_ROWS = 9
ROWS_MIN = 4
ENDING = "Ending: the trainer saves its state; the same command goes on from there."


def panel(look: Look, heading: str, elapsed_seconds: float, height: int) -> RenderableType:
    """The view of `look` in at most `height` lines."""
    more = list(_unfinished(look))
    checkpoints = look.verdict.checkpoints if look.verdict else ()
    room = max(ROWS_MIN, height - LINES_BESIDE_ROWS - len(more))
    summary = look.run.status.summary if look.run.status else "Pending"
    title = Text.assemble(
        (f"{heading}  ", "bold"), (f"{summary.lower()}, {duration_text(elapsed_seconds)}", "dim")
    )
    lines: list[RenderableType] = [title, Text(), *_training(look), Text()]
    if checkpoints or more:
        lines.append(checkpoint_table(checkpoints[-room:], more))
    lines += [Text(message, style="yellow") for message in _warnings(look)]
    return Group(*lines)


def progress_text(look: Look) -> str:
    """How far the training is, in one line; empty before its first step."""
    beat = look.heartbeat
    if beat is None or not beat.tokens:
        return ""
    share = percent_text(beat.tokens / beat.tokens_total)
    done = f"{tokens_text(beat.tokens)} of {tokens_text(beat.tokens_total)} tokens, {share}"
    return ", ".join((done, *_details(beat)))


def _details(beat: Heartbeat) -> Iterator[str]:
    if beat.loss is not None:
        yield f"loss {beat.loss:.3f}"
    if beat.tokens_per_second:
        yield f"{tokens_text(beat.tokens_per_second)} tokens/s"
        left = (beat.tokens_total - beat.tokens) / beat.tokens_per_second
        if left > 0:
            yield f"at most {duration_text(left)} left"


def _training(look: Look) -> Iterator[RenderableType]:
    beat = look.heartbeat
    if beat is None or not beat.tokens:
        yield Text("starting the trainer", style="dim")
        return
    bar = ProgressBar(
        total=beat.tokens_total,
        completed=beat.tokens,
        width=BAR_WIDTH,
        complete_style="blue",
        finished_style="green",
    )
    lines = Table.grid()
    lines.add_row(bar)
    lines.add_row(Text(progress_text(look)))
    yield lines


def _unfinished(look: Look) -> Iterator[tuple[str, str]]:
    """Checkpoints without a report: tokens, and what is going on there."""
    outcomes = look.facts.journal.evaluations
    judged = {c.tokens for c in look.verdict.checkpoints} if look.verdict else set()
    for tokens in sorted(set(look.facts.checkpoints) - judged):
        outcome = outcomes.get(tokens_key(tokens))
        if outcome is not None and outcome.result == "Failed":
            yield tokens_text(tokens), f"evaluation failed: {outcome.message}"
        else:
            yield tokens_text(tokens), _evaluation(look.evaluating.get(tokens))


def _evaluation(progress: EvaluationProgress | None) -> str:
    if progress is None or not progress.total:
        return "to be measured"
    left = progress.remaining_seconds
    rest = "" if left is None else f", {duration_text(left)} left"
    return f"measuring: {percent_text(progress.done / progress.total)}{rest}"


def _warnings(look: Look) -> Iterator[str]:
    if look.ending:
        yield ENDING
    failed = [a for a in look.facts.journal.attempts if a.counted]
    if failed:
        yield f"attempt {failed[-1].number} {failed[-1].message}"
