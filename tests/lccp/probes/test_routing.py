"""Whose prompts are routed, and what is reported of the experts."""

import pytest

from lccp.contract.signals import Better
from lccp.probes.routing import PROBE, RoutingSettings, signals


@pytest.mark.parametrize(
    ("source", "probe"), [("Niah", "niah"), ("Bio", "bio"), ("CorpusPpl", "corpus_ppl")]
)
def test_prompts_are_those_of_the_probe_that_settings_name(source: str, probe: str) -> None:
    assert PROBE.reads(RoutingSettings.parse({"source": source}, "routing")) == probe


def test_an_even_load_is_better() -> None:
    better = {signal.name: signal.better for signal in signals(RoutingSettings())}

    assert better == {
        "routing_entropy": Better.HIGHER,
        "routing_busiest": Better.LOWER,
        "routing_shift": Better.LOWER,
    }
