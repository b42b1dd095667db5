"""What the sentences about a verdict are made from."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lccp.analysis.policy import names_of, stands_still
from lccp.analysis.rules.gains import FEWEST, LEAST_SPAN
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import CheckpointVerdict, Gain, GainState, Verdict
from lccp.contract.signals import Role, Scale, Signal


@dataclass(frozen=True)
class Findings:
    """What sentences are made from."""

    checkpoints: Sequence[CheckpointVerdict]
    """Oldest first."""
    signals: Mapping[str, Signal]
    policy: Policy
    stands_still: bool = False
    """No signal moved over the newest three checkpoints."""
    looks: frozenset[str] = frozenset()
    """Signals that were measured for a first look, which decides nothing."""

    @classmethod
    def of(cls, verdict: Verdict) -> "Findings":
        """The findings of an existing verdict."""
        declared = {signal.name: signal for signal in verdict.signals}
        return cls(verdict.checkpoints, declared, verdict.policy)

    @property
    def newest(self) -> CheckpointVerdict:
        return self.checkpoints[-1]

    @property
    def gain(self) -> Gain | None:
        """The newest gain of the leading primary signal."""
        return self.newest.gain(self.policy.signal)

    @property
    def fitted(self) -> list[int]:
        """Tokens of the checkpoints after the warm-up at which the leading signal was measured."""
        measured = (c.tokens for c in self.checkpoints if self.policy.signal in c.values)
        return [tokens for tokens in measured if tokens > max(0, self.policy.warmup_tokens)]

    @property
    def horizon_is_far(self) -> bool:
        """There are enough checkpoints, but they span too little of a horizon for a gain."""
        fitted = self.fitted
        return len(fitted) >= FEWEST and (
            fitted[-1] - fitted[0] < LEAST_SPAN * self.policy.horizon_tokens
        )

    @property
    def title(self) -> str:
        """The leading signal's title in sentences."""
        return self.title_of(self.policy.signal)

    def title_of(self, name: str) -> str:
        signal = self.signals.get(name)
        return signal.title if signal else name

    def of_role(self, role: Role) -> list[Signal]:
        """Guards or ceilings that were measured."""
        names = names_of(role, self.signals.values(), self.policy)
        return [self.signals[name] for name in names if name in self.signals]

    @property
    def primaries(self) -> list[Signal]:
        return [self.signals[name] for name in self.policy.signals if name in self.signals]

    @property
    def primary_looks(self) -> list[Signal]:
        """Primary signals that decide nothing."""
        return [signal for signal in self.primaries if signal.name in self.looks]

    @property
    def saturated(self) -> list[Signal]:
        """Primary signals that are."""
        return self._primaries_where(lambda gain: gain.saturated)

    @property
    def improving(self) -> list[Signal]:
        """Primary signals that are."""
        return self._primaries_where(lambda gain: gain.state is GainState.IMPROVING)

    def _primaries_where(self, holds: Callable[[Gain], bool]) -> list[Signal]:
        known = ((signal, self.newest_gain(signal.name)) for signal in self.primaries)
        return [signal for signal, gain in known if gain is not None and holds(gain)]

    @property
    def standing_ceiling(self) -> Signal | None:
        """The first ceiling signal that is flat."""
        return next((one for one in self.of_role(Role.CEILING) if self._stands_still(one)), None)

    def _stands_still(self, signal: Signal) -> bool:
        return stands_still(self.newest_value(signal.name), self.newest_gain(signal.name))

    def newest_value(self, name: str) -> float | None:
        """The newest known value of a signal."""
        known = (one.values[name] for one in reversed(self.checkpoints) if name in one.values)
        return next(known, None)

    def newest_gain(self, name: str) -> Gain | None:
        """The newest known gain of a signal."""
        gains = (checkpoint.gain(name) for checkpoint in reversed(self.checkpoints))
        return next((gain for gain in gains if gain is not None), None)

    def least_gains(self, signals: Sequence[Signal]) -> str:
        """The least gains that pay: `1 % of NIAH-PPL and 0.01 of NIAH score`."""
        deltas = ((signal, self.policy.delta(signal.name)) for signal in signals)
        return joined(f"{self.amount(delta, s.name)} of {s.title}" for s, delta in deltas)

    def amount(self, gain: float, signal: str) -> str:
        """A gain on the signal's scale: in percent on a logarithmic one, else as a number."""
        declared = self.signals.get(signal)
        if declared is not None and declared.scale is Scale.LINEAR:
            return f"{gain + 0.0:.3g}"
        return percent(gain)


def joined(parts: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *before, last = list(parts) or [""]
    return f"{', '.join(before)} and {last}" if before else last


def percent(share: float) -> str:
    """A share, or a gain on a logarithmic scale, in percent with at most two decimals."""
    return f"{round(100 * share, 2) + 0.0:.2f}".rstrip("0").rstrip(".") + " %"
