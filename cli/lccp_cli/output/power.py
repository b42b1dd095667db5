"""How well a plan detects plateaus, on the terminal or as JSON."""

from collections.abc import Sequence
from math import isfinite

from lccp.analysis.power import ENOUGH, Power, SignalPower, cheapest
from lccp_cli.output.console import json_text, print_table, standard_output, table_of


def show_power(one: SignalPower) -> None:
    """Print the power of the plan (the first row) and of alternatives."""
    kinds = [f"{kind}s" for kind in one.powers[0].design.clusters]
    table = table_of("checkpoints", *kinds, "within 4 T", "in the end", "median")
    for each in one.powers:
        table.add_row(*_row(each))
    console = standard_output()
    console.print(
        f"{one.signal}: share of plateaus that are judged Saturated; the first row is the plan:"
    )
    print_table(console, table)
    console.print(_advice(one.powers))


def power_json(found: Sequence[SignalPower], unknown: Sequence[str] = ()) -> str:
    """The same as JSON, with the noise that it is based on."""
    signals = [
        {
            "signal": one.signal,
            "jitter": one.noise.jitter,
            "plans": [_document(each) for each in one.powers],
            "advice": _advice(one.powers),
        }
        for one in found
    ]
    return json_text({"signals": signals, "notSimulated": list(unknown)})


def _document(one: Power) -> dict[str, object]:
    median = one.median_horizons
    return {
        "checkpoints": len(one.design.at),
        "clusters": dict(one.design.clusters),
        "within": one.within,
        "whole": one.whole,
        "medianHorizons": median if isfinite(median) else None,
    }


def _row(one: Power) -> tuple[str, ...]:
    median = one.median_horizons
    counts = (len(one.design.at), *one.design.clusters.values())
    told = f"{median:.1f} T" if isfinite(median) else "never"
    return (*map(str, counts), f"{one.within:.0%}", f"{one.whole:.0%}", told)


def _advice(powers: Sequence[Power]) -> str:
    own, best = powers[0], cheapest(powers)
    if own.within >= ENOUGH:
        return f"The plan suffices: it detects {own.within:.0%} of plateaus within four horizons."
    if best is None:
        return (
            f"The plan detects {own.within:.0%} of plateaus within four horizons, and none of the "
            "others suffices: lower the learning rate, raise minGain, or use longer horizons."
        )
    clusters = [f"{count} {kind}s" for kind, count in best.design.clusters.items()]
    design = ", ".join((f"{len(best.design.at)} checkpoints", *clusters))
    return (
        f"The plan detects {own.within:.0%} of plateaus within four horizons. Sufficient with the "
        f"fewest samples: {design} ({best.within:.0%})."
    )
