"""Settings of the needle grid, as they are used."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings, resolved
from lccp.probes.probe import Contexts

CONTEXTS = Contexts(32_768, 65_536, 65_536)
SIZES = {"Quick": (8, 5, 3, 2), "Standard": (11, 11, 10, 4), "Paper": (17, 21, 20, 8)}


@pytest.mark.parametrize(("preset", "sizes"), SIZES.items())
def test_a_preset_is_the_default_of_every_side_of_the_grid(preset, sizes):
    niah = resolved(NiahSettings(preset=preset), CONTEXTS)

    sides = len(niah.lengths), len(niah.depths_percent), niah.haystacks, len(niah.needles)
    assert sides == sizes
    assert (niah.depths_percent[0], niah.depths_percent[-1]) == (0, 100)


def test_what_is_given_comes_before_the_preset():
    given = NiahSettings(preset="Quick", depths_percent=(100, 5), haystacks=7)
    niah = resolved(given, CONTEXTS)

    assert (niah.depths_percent, niah.haystacks, niah.needles_per_haystack) == ((5, 100), 7, 2)


def test_settings_are_written_down_as_they_are_used():
    document = resolved(NiahSettings(), CONTEXTS).document()

    assert document["lengths"][:6] == [1_024, 2_048, 4_096, 8_192, 16_384, 24_576]
    assert [needle["stem"] for needle in document["needles"]][:2] == [
        "The best thing to do in San Francisco is",
        "The night baker of Aldermoor hides her spare key",
    ]
    assert NiahSettings.parse(document, "settings") == resolved(NiahSettings(), CONTEXTS)


def test_fewer_needles_of_ones_own_than_the_preset_has_are_all_asked():
    needles = ({"stem": "a", "key": "b", "question": "c"},)
    niah = resolved(NiahSettings.parse({"needles": needles}, "settings"), CONTEXTS)

    assert niah.needles_per_haystack == 1


def test_more_needles_than_lccp_ships_are_refused():
    with pytest.raises(InvalidInput, match=r"needlesPerHaystack: 9 needles .*but LCCP ships 8"):
        resolved(NiahSettings(needles_per_haystack=9), CONTEXTS)
