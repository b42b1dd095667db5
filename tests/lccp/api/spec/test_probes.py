"""Probes, as a manifest turns them on and off."""

from typing import Any

import pytest

from lccp.api.spec.probes import OFF, ProbesSpec
from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp.probes.registry import PROBES


@pytest.mark.parametrize(
    ("probes", "sentence"),
    [
        ({"bio": OFF}, "with source Bio needs bio: turn bio on, or write retrievalHeads: {enabled"),
        ({"niah": OFF, "retrievalHeads": {"source": "Niah"}}, "with source Niah needs niah"),
        (dict.fromkeys(("niah", "bio", "retrievalHeads"), OFF), "all probes are off"),
        ({"bio": None}, "bio: null turns nothing off: write bio: {enabled: false}"),
        ({"bio": {"enabled": "no"}}, "bio.enabled: input should be a valid boolean"),
        ({"bio": {"enabled": False, "documents": 0}}, "bio.documents: input should be greater"),
        ({"nihA": {}}, "nihA: there is no such field"),
    ],
)
def test_probes_that_cannot_be_run_are_refused(probes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ProbesSpec.parse(probes, "probes")


def test_a_probe_is_turned_off_and_on_by_a_field_of_its_own() -> None:
    given = {
        "bio": {"enabled": False, "documents": 3},
        "retrievalHeads": {"source": "Niah"},
        "interference": {"enabled": True},
        "multiKey": {"enabled": False},
    }
    probes = ProbesSpec.parse(given, "probes")
    assert list(probes.asked()) == ["niah", "retrieval_heads", "interference"]
    assert type(probes.asked()["interference"]) is PROBES["interference"].settings
    written = probes.document()
    assert written["bio"] == OFF
    assert "multiKey" not in written
    assert ProbesSpec.parse(written, "probes") == probes


def test_settings_are_replaced_by_the_probes_name() -> None:
    other = NiahSettings(haystacks=3)

    replaced = ProbesSpec().replaced({"niah": other})

    assert replaced.asked()["niah"] == other
    assert replaced.asked().keys() == ProbesSpec().asked().keys()
    assert ProbesSpec().asked()["niah"] != other
