"""What is reported of answers that a model generates."""

from lccp.contract.signals import Better
from lccp.probes.generation import PROBE, GenerationSettings, signals


def test_it_is_off_until_it_is_asked_for_and_reads_the_samples_of_niah() -> None:
    assert PROBE.default is None
    assert PROBE.reads(GenerationSettings()) == "niah"


def test_more_is_better() -> None:
    found = signals(GenerationSettings())

    assert [signal.name for signal in found] == ["niah_containment", "niah_agreement"]
    assert {signal.better for signal in found} == {Better.HIGHER}
