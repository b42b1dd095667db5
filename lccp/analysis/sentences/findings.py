"""What the sentences about a verdict are made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lccp.analysis.policy import names_of
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import CheckpointVerdict, Gain
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

    @property
    def newest(self) -> CheckpointVerdict:
        return self.checkpoints[-1]

    @property
    def gain(self) -> Gain | None:
        """The newest gain of the primary signal that leads."""
        return self.newest.gain(self.policy.signal)

    @property
    def title(self) -> str:
        """The leading signal in sentences."""
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

    def amount(self, gain: float, signal: str) -> str:
        """A gain on the signal's scale: in percent on a logarithmic one, else as a number."""
        declared = self.signals.get(signal)
        if declared is not None and declared.scale is Scale.LINEAR:
            return f"{gain + 0.0:.3g}"
        return percent(gain)


def percent(share: float) -> str:
    """A share, or a gain on a logarithmic scale, in percent with at most two decimals."""
    return f"{round(100 * share, 2) + 0.0:.2f}".rstrip("0").rstrip(".") + " %"
