"""`lccp compare`: two checkpoints, of one run or of two."""

from typing import TYPE_CHECKING, Annotated

import typer

from lccp_cli.options import Endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from lccp.analysis.comparison import Comparison, PairSignal, SignalDifference
    from lccp.contract.signals import Signal
    from lccp.report.load import RunData

EXPLAINED = (
    "Gain: of B over A, positive is better; for perplexities, the percentage by which they "
    "fall. The interval covers the choice of samples, paired by cluster, but not the jitter of the "
    "weights between checkpoints; one interval in twenty misses by chance."
)
NAMED = "RUN[@TOKENS]"
HELP = (
    "A run as for `lccp report`, and after an @ the tokens of a checkpoint. Default: the newest "
    "at which both were evaluated, else the newest."
)
Checkpoint = Annotated[str, typer.Argument(metavar=NAMED, help=HELP)]


def compare(
    a: Checkpoint,
    b: Checkpoint,
    json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON.")] = False,
    endpoint: Endpoint = None,
) -> None:
    """Compare two checkpoints: each signal with an interval, and the retrieval heads.

    Examples:

        lccp compare runs/default/tiny@409600 runs/default/tiny@1433600
        lccp compare runs/default/tiny runs/default/other
        lccp compare s3://bucket/prefix/team/a s3://bucket/prefix/team/b --json
    """
    from lccp.contract.errors import InvalidInput
    from lccp.report.comparison import compared, pair
    from lccp_cli.output.console import json_text, print_parts, standard_output

    if a == b:
        raise InvalidInput(f"{a}: can't be compared with itself: name two checkpoints as {NAMED}")
    first, second = pair(_named(a, endpoint), _named(b, endpoint))
    found = compared(first, second)
    if json:
        document = {"a": _place(a, first.report.tokens), "b": _place(b, second.report.tokens)}
        typer.echo(json_text(document | found.document()))
        return
    console = standard_output()
    console.print(f"A: {first}\nB: {second}\n")
    print_parts(console, _shown(found))


def _named(text: str, endpoint: str | None) -> "tuple[RunData, int | None]":
    """The run that `text` names, and the tokens after its @."""
    from lccp_cli.options import checkpoint_tokens
    from lccp_cli.target import load_target

    run, at, tokens = text.rpartition("@")
    if not at or "/" in tokens:
        return load_target(text, endpoint).data, None
    return load_target(run, endpoint).data, checkpoint_tokens(tokens, text)


def _place(text: str, tokens: int) -> dict[str, object]:
    return {"run": text.rpartition("@")[0] or text, "tokens": tokens}


def _shown(found: "Comparison") -> "Iterator[str | Table]":
    from lccp_cli.output.console import table_of

    if found.differences:
        signals = table_of("signal", "A", "B", "gain", "95 % interval", "B is")
        for difference in found.differences:
            signals.add_row(*_cells(difference))
        yield signals
        yield f"\n{EXPLAINED}"
    if found.agreements:
        heads = table_of("B against A", "A", "B")
        for agreement in found.agreements:
            heads.add_row(*_agreement_cells(agreement))
        yield "\n"
        yield heads
    for sentence in found.left_out:
        yield f"Left out: {sentence}"


def _cells(difference: "SignalDifference") -> list[str]:
    from lccp.report.text import MISSING, value_text

    signal, ends = difference.signal, difference.interval
    interval = " to ".join(_gain(end, signal) for end in ends) if ends else MISSING
    return [
        signal.title,
        *(value_text(value, signal.unit) for value in difference.values),
        _gain(difference.gain, signal),
        interval,
        difference.finding if ends else MISSING,
    ]


def _gain(gain: float, signal: "Signal") -> str:
    """In percent of A if the scale is logarithmic, since two checkpoints may differ a lot."""
    from math import expm1

    from lccp.contract.signals import Scale

    return f"{-100 * expm1(-gain):+.1f} %" if signal.scale is Scale.LOG else f"{gain:+.3f}"


def _agreement_cells(agreement: "PairSignal") -> list[str]:
    from lccp.report.text import value_text

    signal = agreement.signal
    return [signal.title, *(value_text(value, signal.unit) for value in agreement.values)]
