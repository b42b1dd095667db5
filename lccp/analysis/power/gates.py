"""How well a plan answers its gate: sentences about gains, asked about simulated plateaus.

What is asked is whether noise hides the answer. So a design is judged by the share of plateaus
about which the last checkpoint answers as it would without noise: that `guards not regressing` is
true, and `recovery gain lower bound > 0` is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from lccp.analysis.gate import Compared, Interval, KnownGain, Stated, parsed
from lccp.analysis.power.designs import Design
from lccp.analysis.power.outcomes import RUNS, Plateaus, Simulated
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import Answer, GainState

LEVEL = KnownGain(Interval(0.0, 0.0, 0.0), GainState.PLATEAU, saturated=True)
"""A plateau without noise."""


@dataclass(frozen=True)
class GatePower:
    """How well a design answers a sentence about plateaus of one signal."""

    design: Design
    share: float
    """Of plateaus about which the last checkpoint answers as it would without noise."""


@dataclass(frozen=True)
class SentencePower:
    """How well designs answer a sentence about plateaus of one signal."""

    sentence: str
    signal: str
    answer: Answer
    """Without noise."""
    noise: Noise
    powers: Sequence[GatePower]
    """Of the plan, which comes first, and of others of its length."""

    @classmethod
    def of(cls, sentence: str, signal: str, simulated: Simulated, policy: Policy) -> Self:
        """By simulated plateaus."""
        asked, delta = parsed(sentence), policy.delta(signal)
        right = asked.answer(LEVEL, delta)
        powers = [
            GatePower(one.design, answers(asked, one, delta).count(right) / RUNS)
            for one in simulated.plateaus
        ]
        return cls(sentence, signal, right, simulated.noise, powers)


def answers(asked: Compared | Stated, plateaus: Plateaus, delta: float) -> list[Answer]:
    """Those of the last checkpoint, for each simulated plateau of a signal."""
    if not plateaus.states:
        return ["Undecided"] * RUNS
    return [asked.answer(gain, delta) for gain in plateaus.known(delta)]


def gate_powers(
    policy: Policy, guards: Sequence[str], simulated_of: Callable[[str], Simulated | str]
) -> tuple[list[SentencePower], list[str]]:
    """How well each sentence of the gate is answered, by signal, and which is not simulated, why.

    `simulated_of` gives the plateaus of a signal, or why there are none.
    """
    found, unknown = [], []
    for sentence in policy.gate:
        signals = signals_of(sentence, guards)
        why = not_simulated(sentence, policy) or ("" if signals else "there are no guards")
        if why:
            unknown.append(f"{sentence}: {why}")
            continue
        for signal in signals:
            simulated = simulated_of(signal)
            if isinstance(simulated, str):
                unknown.append(f"{sentence}: {simulated}")
            else:
                found.append(SentencePower.of(sentence, signal, simulated, policy))
    return found, unknown


def signals_of(sentence: str, guards: Sequence[str]) -> Sequence[str]:
    """The signals that a sentence is about."""
    name = parsed(sentence).name
    return guards if name == "guards" else (name,)


def not_simulated(sentence: str, policy: Policy) -> str:
    """Why plateaus say nothing about a sentence; empty: they do."""
    asked = parsed(sentence)
    if isinstance(asked, Compared):
        return "" if asked.of_gain else "is about a value, which no plan determines"
    if asked.name == "verdict":
        return "is about the verdict, which follows from primary signals and guards"
    if asked.state == "saturated" and asked.name not in policy.signals:
        always = "Yes" if asked.negated else "No"
        return f"is always answered {always}, since only primary signals are judged saturated"
    return ""
