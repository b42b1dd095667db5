"""Possible measurements of any probe: made-up values of its signals, and arrays of its charts."""

import math

import numpy as np
from reports import a_value

from lccp.api.objects.report import SignalValue
from lccp.contract.signals import Scale, Signal
from lccp.probes.probe import Axis, Details, HeatMaps, Probe, Profile

SIDES = {"tokens": (64, 128, 256, 512), "percent": (0, 50, 100), "number": (1, 2, 4)}
CLUSTERS = 5


def values(probe: Probe, progress: float) -> list[SignalValue]:
    """All signals of `probe`, better the greater `progress` (0 to 1) is."""
    return [_value(signal, progress) for signal in probe.signals(probe.usual)]


def _value(signal: Signal, progress: float) -> SignalValue:
    value = math.exp(0.5 - 0.3 * progress) if signal.scale is Scale.LOG else 0.3 + 0.4 * progress
    clusters = {"document": [value * (1 + 0.01 * i) for i in range(-2, CLUSTERS - 2)]}
    return a_value(signal, value, clusters)


def details(probe: Probe, progress: float) -> Details:
    """The arrays that the charts of `probe` are drawn from."""
    found: dict[str, np.ndarray] = {}
    for chart in probe.charts:
        axes: tuple[Axis, ...] = ()
        if isinstance(chart, HeatMaps):
            axes = (chart.down, chart.across)
        elif isinstance(chart, Profile):
            axes = (chart.along,)
        for axis in axes:
            if axis.values:
                found[axis.values] = np.array(SIDES[axis.text])
        if axes:
            shape = tuple(len(SIDES[axis.text]) for axis in axes)
            found[chart.array] = 1.5 - 0.3 * progress + 0.1 * np.indices(shape).sum(axis=0)
    return found
