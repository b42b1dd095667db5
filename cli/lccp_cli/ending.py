"""The last screen of `lccp run`: what came out, in at most twelve lines."""

from collections.abc import Iterator
from pathlib import Path

from lccp.report.summary import Summary
from lccp.report.text import percent_text, scientific_text, tokens_text
from lccp_operator.embedded import Outcome


def last_screen(
    outcome: Outcome, command: str, summary: Summary | None, page: Path | None
) -> Iterator[str]:
    """Its lines. `summary` and `page` are None if nothing was trained or measured."""
    if outcome.state == "Interrupted":
        yield "Interrupted: the same command goes on where it was."
    elif outcome.state != "Succeeded":
        yield f"{outcome.state}: {outcome.message}."
    if summary is not None:
        yield summary.verdict
        if summary.score_against_ppl:
            yield summary.score_against_ppl
        yield trained(summary)
    if page is not None:
        yield f"Report: {page}"
    yield f"Next:   {_next(outcome, command, page)}"


def trained(summary: Summary) -> str:
    """Tokens trained, and tokens and FLOPs saved by the stop."""
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


def _next(outcome: Outcome, command: str, page: Path | None) -> str:
    match outcome.state:
        case "Interrupted":
            return command
        case "Failed":
            return f"read the logs below {outcome.directory / 'logs'}, then {command}"
        case _ if page is not None:
            return f"open the report in a browser; lccp analyze {page.parent}"
        case _:
            return command
