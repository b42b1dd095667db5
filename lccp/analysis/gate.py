"""The gate: a release's conditions on the newest checkpoint, and whether the numbers meet them.

An estimate alone is no evidence, so a condition is checked against the interval of a value or gain,
at the policy's confidence on each side: `recovery >= 0.8` is yes where the whole interval satisfies
it, no where none of it does, else undecided. With `lower bound` or `upper bound` only that end
counts, and a sentence is never undecided. `guards not regressing` is yes only where every guard's
gain is known to be above minus the least gain, and no where one regresses.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from lccp.analysis.judged import JudgedSignal
from lccp.analysis.policy import names_of
from lccp.analysis.rules.noise import Variance, several, variance_of_mean
from lccp.analysis.trajectory import Series, Trajectory, in_its_unit
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import (
    Answer,
    CheckpointVerdict,
    GainState,
    Gate,
    GateAnswer,
)
from lccp.contract.signals import Role

ASKED = re.compile(r"(\S+)( gain)?(?: (lower|upper) bound)? (>=|<=|>|<) (\S+)")
STATED = re.compile(r"(\S+) (?:is |are )?(not )?(.+)")
SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
}
STATES = {
    "improving": GainState.IMPROVING,
    "on a plateau": GainState.PLATEAU,
    "regressing": GainState.REGRESSING,
    "undetermined": GainState.UNDETERMINED,
}
Found = tuple[Answer, str]


@dataclass(frozen=True)
class Interval:
    """An estimate and its ends, in the unit of a value or on the scale of a gain."""

    value: float
    lower: float
    upper: float

    def __str__(self) -> str:
        return f"{self.value:.4g}, between {self.lower:.4g} and {self.upper:.4g}"

    def answers(self, end: str | None, sign: str, bound: float) -> Answer:
        """Whether it, or only its `end`, is in the relation `sign` to `bound`."""
        ends = {"lower": [self.lower], "upper": [self.upper], None: [self.lower, self.upper]}[end]
        met = [SIGNS[sign](one, bound) for one in ends]
        if all(met):
            return "Yes"
        return "Undecided" if any(met) else "No"


@dataclass(frozen=True)
class KnownGain:
    """What is known of a signal's gain at a checkpoint."""

    interval: Interval
    state: GainState
    saturated: bool


@dataclass(frozen=True)
class Compared:
    """A sentence that compares a signal's value, or its gain, with a number."""

    name: str
    of_gain: bool
    end: str | None
    sign: str
    bound: float

    def answer(self, gain: KnownGain, _delta: float) -> Answer:
        """By the interval of the gain."""
        return self.of_interval(gain.interval)

    def of_interval(self, interval: Interval) -> Answer:
        """By the interval of what it is about."""
        return interval.answers(self.end, self.sign, self.bound)


@dataclass(frozen=True)
class Stated:
    """A sentence about the state of a signal, of all guards, or of the verdict."""

    name: str
    negated: bool
    state: str

    def answer(self, gain: KnownGain, delta: float) -> Answer:
        """By the state of a signal whose minimum gain is `delta`."""
        return self.turned(self.holds(gain, delta))

    def holds(self, gain: KnownGain, delta: float) -> Answer:
        """Whether the signal is in the state, negated or not."""
        if self.state == "saturated":
            return "Yes" if gain.saturated else "No"
        if gain.state is STATES[self.state]:
            return "Yes"
        unsure = self.state == "regressing" and gain.interval.lower <= -delta
        return "Undecided" if unsure else "No"

    def turned(self, answer: Answer) -> Answer:
        """The answer to the sentence, from whether the state holds."""
        if not self.negated or answer == "Undecided":
            return answer
        return "No" if answer == "Yes" else "Yes"


def parsed(sentence: str) -> Compared | Stated:
    """A valid sentence of a gate, taken apart."""
    if asked := ASKED.fullmatch(sentence):
        name, gain, end, sign, bound = asked.groups()
        return Compared(name, gain is not None, end, sign, float(bound))
    stated = STATED.fullmatch(sentence)
    assert stated is not None, sentence
    name, negated, state = stated.groups()
    return Stated(name, negated is not None, state)


def gate(
    policy: Policy,
    trajectory: Trajectory,
    judged: Mapping[str, JudgedSignal],
    newest: CheckpointVerdict | None,
) -> Gate:
    """The answer to the policy's gate at the newest checkpoint; undecided before the first."""
    guards = names_of(Role.GUARD, (series.signal for series in trajectory.series.values()), policy)
    found = []
    for sentence in policy.gate:
        answer, evidence = "Undecided", "nothing is measured yet"
        if newest is not None:
            asked = _Asked(policy, trajectory, judged, newest, guards)
            answer, evidence = asked.answer(sentence)
        found.append(GateAnswer(sentence=sentence, answer=answer, evidence=evidence))
    return Gate(answer=_together([one.answer for one in found]), sentences=tuple(found))


def _together(answers: list[Answer]) -> Answer:
    if "No" in answers:
        return "No"
    return "Undecided" if "Undecided" in answers else "Yes"


@dataclass(frozen=True)
class _Asked:
    """What sentences are checked against."""

    policy: Policy
    trajectory: Trajectory
    judged: Mapping[str, JudgedSignal]
    newest: CheckpointVerdict
    guards: list[str]

    def answer(self, sentence: str) -> Found:
        asked = parsed(sentence)
        if isinstance(asked, Compared):
            return self._compared(asked)
        answer, evidence = self._is(asked)
        return asked.turned(answer), evidence

    def _compared(self, asked: Compared) -> Found:
        name, of_gain = asked.name, asked.of_gain
        interval = self._gain(name) if of_gain else self._value(name)
        if interval is None:
            return "Undecided", f"{name} has no {'gain' if of_gain else 'value'} with an interval"
        return asked.of_interval(interval), f"{name}{' gain' if of_gain else ''} is {interval}"

    def _is(self, asked: Stated) -> Found:
        name = asked.name
        if name == "verdict":
            now = self.newest.state.value
            return ("Yes" if now.lower() == asked.state else "No"), f"the verdict is {now}"
        if name == "guards":
            return self._guards(asked)
        gain = self._known(name)
        if gain is None:
            return "Undecided", f"{name} has too few checkpoints to be judged"
        found = f"{name} is {gain.state.value} ({gain.interval})"
        return asked.holds(gain, self.policy.delta(name)), found

    def _guards(self, asked: Stated) -> Found:
        each = [self._is(replace(asked, name=name)) for name in self.guards]
        if not each:
            return "Undecided", "there are no guards"
        evidence = "; ".join(text for _, text in each)
        answers = {answer for answer, _ in each}
        if asked.state == "regressing" and "Yes" in answers:
            return "Yes", evidence
        return (answers.pop() if len(answers) == 1 else "Undecided"), evidence

    def _known(self, name: str) -> KnownGain | None:
        one = self.judged.get(name)
        gain = one.at(self.newest.tokens) if one else None
        if gain is None:
            return None
        interval = Interval(gain.gain, gain.lower, gain.upper)
        return KnownGain(interval, gain.state, gain.saturated)

    def _gain(self, name: str) -> Interval | None:
        gain = self._known(name)
        return gain.interval if gain else None

    def _value(self, name: str) -> Interval | None:
        series = self.trajectory.series.get(name)
        return (
            value_interval(series, self.newest.tokens, self.policy.confidence) if series else None
        )


def value_interval(series: Series, tokens: int, confidence: float) -> Interval | None:
    """The newest value at or before `tokens` with its interval over clusters, in its unit.

    None where it was not measured, or only on one cluster.
    """
    until = int(np.searchsorted(series.tokens, tokens, "right"))
    kinds = several({kind: means[until - 1 : until].T for kind, means in series.clusters.items()})
    if not until or not kinds:
        return None
    variance = Variance(np.zeros(1), np.full(1, np.inf))
    for kind in kinds:
        variance += Variance(variance_of_mean(kind), np.full(1, kind.shape[-2] - 1.0))
    half = variance.half_width(confidence)
    value = series.values[until - 1 : until]
    ends = [
        float(in_its_unit(series.signal, end)[0]) for end in (value - half, value, value + half)
    ]
    lower, _, upper = sorted(ends)
    return Interval(ends[1], lower, upper)
