"""Simulated plateaus as the rules judge them: every design once, whatever is asked about it."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from lccp.analysis.gate import Interval, KnownGain
from lccp.analysis.judged import state_of
from lccp.analysis.power.designs import Design, Planned, allowed, courses
from lccp.analysis.rules.gains import FEWEST
from lccp.analysis.rules.grid import Array, Flags
from lccp.analysis.simulation import Noise
from lccp.api.objects.policy import Policy
from lccp.api.objects.verdict import GainState
from lccp.contract.errors import InvalidInput

RUNS = 200


@dataclass(frozen=True)
class Plateaus:
    """Those of one design, in horizons and in units of the least gain that pays."""

    design: Design
    saturated_after: Array
    """[runs]: from the first checkpoint on; infinite: never judged Saturated."""
    saturated: Flags
    """[runs]: at the last checkpoint."""
    ends: Array
    """[3, runs]: gain at the last checkpoint, and the ends of its interval."""
    states: Sequence[GainState]
    """By run, at the last checkpoint; none of fewer checkpoints than a gain needs."""

    @classmethod
    def of(cls, design: Design, noise: Noise, policy: Policy) -> Self:
        """By `RUNS` simulated runs."""
        course = courses(design, noise, policy, RUNS, seed=0)
        at, said = course.grid.at, course.saturated(allowed(course, policy))
        after = np.where(said.any(axis=1), at[said.argmax(axis=1)] - at[0], math.inf)
        ends = np.stack([course.gains.gain, course.lower, course.upper])[..., -1]
        judged = range(RUNS if len(at) >= FEWEST else 0)
        states = [state_of(course, (i, -1)) for i in judged]
        return cls(design, after, said[:, -1], ends, states)

    def known(self, delta: float) -> Iterator[KnownGain]:
        """What is known at the last checkpoint of a signal whose least gain that pays is `delta`,
        by run; nothing with fewer checkpoints than a gain needs."""
        for i, state in enumerate(self.states):
            yield KnownGain(Interval(*delta * self.ends[:, i]), state, bool(self.saturated[i]))


@dataclass(frozen=True)
class Simulated:
    """Plateaus by the designs of a plan, and the noise that they have."""

    noise: Noise
    plateaus: Sequence[Plateaus]
    """Of the plan, which comes first, and of others of its length."""

    @classmethod
    def of(cls, planned: Planned, policy: Policy) -> Self:
        """Simulate them."""
        found = [Plateaus.of(design, planned.noise, policy) for design in planned.designs()]
        return cls(planned.noise, found)


class Simulations:
    """Those of the signals of a run. Signals that are planned alike share theirs."""

    def __init__(
        self,
        policy: Policy,
        plan_of: Callable[[str], Planned | str],
        simulate: Callable[[Planned, Policy], Simulated] = Simulated.of,
    ) -> None:
        """`plan_of` gives what is planned for a signal, or why that is unknown."""
        self._policy, self._plan_of, self._simulate = policy, plan_of, simulate
        self._known: list[tuple[Planned, Simulated]] = []

    def of(self, signal: str) -> Simulated | str:
        """Those of `signal`, or why there are none."""
        planned = self._plan_of(signal)
        if isinstance(planned, str):
            return planned
        for alike, simulated in self._known:
            if alike == planned:
                return simulated
        simulated = self._simulate(planned, self._policy)
        self._known.append((planned, simulated))
        return simulated

    def required(self, signal: str) -> Simulated:
        """Those of `signal`. Raises InvalidInput, which says why, if there are none."""
        found = self.of(signal)
        if isinstance(found, str):
            raise InvalidInput(found)
        return found
