"""How well a plan detects plateaus, on the terminal or as JSON."""

from collections.abc import Sequence
from math import isfinite

from lccp.analysis.power.designs import ENOUGH, Design, cheapest
from lccp.analysis.power.gates import GatePower, SentencePower
from lccp.analysis.power.plateaus import Power, SignalPower
from lccp_cli.output.console import json_text, print_table, standard_output, table_of


def show_power(one: SignalPower) -> None:
    """Print the power of the plan (the first row) and of alternatives."""
    table = table_of(*_kinds(one.powers[0].design), "within 4 T", "in the end", "median")
    for each in one.powers:
        table.add_row(*_row(each))
    console = standard_output()
    console.print(
        f"{one.signal}: share of plateaus that are judged Saturated; the first row is the plan:"
    )
    print_table(console, table)
    console.print(_advice(one.powers))


def show_gate_power(gate: Sequence[SentencePower], unknown: Sequence[str]) -> None:
    """Print the same for each sentence of the gate, and what was not simulated."""
    console = standard_output()
    for one in gate:
        table = table_of(*_kinds(one.powers[0].design), "answered so")
        for each in one.powers:
            table.add_row(*_counts(each.design), f"{each.share:.0%}")
        console.print(
            f"Gate, {one.sentence}: share of plateaus of {one.signal} about which the last "
            f"checkpoint answers {one.answer}, as it would without noise:"
        )
        print_table(console, table)
        console.print(_gate_advice(one.powers))
    for sentence in unknown:
        console.print(f"Not simulated: {sentence}.")


def power_json(
    found: Sequence[SignalPower],
    gate: Sequence[SentencePower] = (),
    unknown: Sequence[str] = (),
) -> str:
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
    sentences = [
        {
            "sentence": one.sentence,
            "signal": one.signal,
            "answer": one.answer,
            "jitter": one.noise.jitter,
            "plans": [_design(each.design) | {"share": each.share} for each in one.powers],
            "advice": _gate_advice(one.powers),
        }
        for one in gate
    ]
    return json_text({"signals": signals, "gate": sentences, "notSimulated": list(unknown)})


def _kinds(design: Design) -> tuple[str, ...]:
    return ("checkpoints", *(f"{kind}s" for kind in design.clusters))


def _counts(design: Design) -> tuple[str, ...]:
    return tuple(str(count) for count in (len(design.at), *design.clusters.values()))


def _design(design: Design) -> dict[str, object]:
    return {"checkpoints": len(design.at), "clusters": dict(design.clusters)}


def _document(one: Power) -> dict[str, object]:
    median = one.median_horizons
    return _design(one.design) | {
        "within": one.within,
        "whole": one.whole,
        "medianHorizons": median if isfinite(median) else None,
    }


def _row(one: Power) -> tuple[str, ...]:
    median = one.median_horizons
    told = f"{median:.1f} T" if isfinite(median) else "never"
    return (*_counts(one.design), f"{one.within:.0%}", f"{one.whole:.0%}", told)


def _advice(powers: Sequence[Power]) -> str:
    return _sufficiency(
        powers,
        "detects {:.0%} of plateaus within four horizons",
        "lower the learning rate, raise minGain, or use longer horizons",
    )


def _gate_advice(powers: Sequence[GatePower]) -> str:
    return _sufficiency(
        powers,
        "answers so for {:.0%} of plateaus",
        "ask for less, lower the learning rate, or use longer horizons",
    )


def _sufficiency(powers: Sequence[Power] | Sequence[GatePower], does: str, remedy: str) -> str:
    """Whether the plan is enough, by what its share `does`, and what would be enough."""
    own, best = powers[0], cheapest(powers)
    told = does.format(own.share)
    if own.share >= ENOUGH:
        return f"The plan suffices: it {told}."
    if best is None:
        return f"The plan {told}, and none of the others suffices: {remedy}."
    return f"The plan {told}. {_sufficient(best.design, best.share)}"


def _sufficient(design: Design, share: float) -> str:
    clusters = [f"{count} {kind}s" for kind, count in design.clusters.items()]
    found = ", ".join((f"{len(design.at)} checkpoints", *clusters))
    return f"Sufficient with the fewest samples: {found} ({share:.0%})."
