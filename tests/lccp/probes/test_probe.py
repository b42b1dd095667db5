"""The defaults of a probe that does not specify something itself."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.bio import BioSettings
from lccp.probes.probe import Contexts, Need, Probe
from lccp.probes.routing import RoutingSettings
from lccp.probes.target_ppl import TargetPplSettings


def a_probe(**more: object) -> Probe:
    given = {"name": "p", "description": "P.", "definition": "", "version": 1}
    return Probe(**given | {"settings": BioSettings, "default": None} | more)  # type: ignore[arg-type]


def test_usual_settings_are_the_default_else_the_example_else_bare() -> None:
    one, other = BioSettings(seed=1), BioSettings(seed=2)

    assert a_probe(default=one, example=other).usual == one
    assert a_probe(example=other).usual == other
    assert a_probe().usual == BioSettings()


def test_a_probe_that_says_nothing_takes_settings_as_they_are() -> None:
    settings = BioSettings()
    probe = a_probe()

    assert probe.resolved(settings, Contexts(1, 2, 2)) is settings
    assert probe.fits(settings, 1) is None
    assert (probe.documents(settings), probe.signals(settings)) == ({}, ())
    assert probe.reads(settings) is None


def test_a_need_may_hold_of_some_settings_alone() -> None:
    bio = RoutingSettings(source="Bio")

    assert Need("bio", "Bio").holds(bio)
    assert not Need("niah", "Niah").holds(bio)
    assert Need("niah").holds(bio)
    assert a_probe(needs=(Need("niah", "Niah"), Need("bio", "Bio"))).reads(bio) == "bio"


def test_settings_without_defaults_need_an_example() -> None:
    with pytest.raises(InvalidInput, match="probe p: the setting path has no default"):
        a_probe(settings=TargetPplSettings)
    example = TargetPplSettings(path="q.jsonl")
    assert a_probe(settings=TargetPplSettings, example=example).usual == example
