"""A verdict, its gate, and the signals that move together, on the terminal."""

from lccp.analysis.correlation import Correlations
from lccp.api.objects.verdict import Gate, Verdict
from lccp.report.correlation import HEADS, rows
from lccp.report.summary import forecast_sentence, verdict_sentence
from lccp_cli.output.console import (
    checkpoint_table,
    json_text,
    print_table,
    standard_output,
    table_of,
)


def show(verdict: Verdict) -> None:
    """Print the checkpoints as a table, the verdict, its evidence, and what to do."""
    console = standard_output()
    print_table(console, checkpoint_table(verdict))
    console.print()
    console.print(verdict_sentence(verdict), style="bold")
    for sentence in (*verdict.evidence, forecast_sentence(verdict.forecast)):
        if sentence:
            console.print(f"  {sentence}")
    for exclusion in verdict.excluded:
        console.print(f"  Left out: {exclusion.reason}", style="yellow")
    console.print(verdict.advice)
    if verdict.gate is not None:
        show_gate(verdict.gate)


def show_gate(gate: Gate) -> None:
    """Print the answer to the gate, criterion by criterion."""
    console = standard_output()
    console.print(f"Gate: {gate.answer}", style="bold")
    for one in gate.sentences:
        console.print(f"  {one.answer:<9}  {one.sentence}  ({one.evidence})")


def show_correlations(found: Correlations, json: bool) -> None:
    """Print which signals move together."""
    if json:
        print(json_text(found.document()))
        return
    console, table = standard_output(), table_of(*HEADS)
    for row in rows(found):
        table.add_row(*row)
    if found.pairs:
        print_table(console, table)
        console.print()
    for sentence in found.notes:
        console.print(sentence)
