"""Settings and signals of look-alike needles."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.multi_key import PROBE, MultiKeySettings, documents, resolved, signals
from lccp.probes.probe import Contexts
from lccp.probes.settings.prompts import Documents


def test_the_default_length_is_the_target_and_groups_ascend() -> None:
    used = resolved(MultiKeySettings(groups=(8, 2)), Contexts(256, 512, 512))

    assert (used.lengths, used.groups) == ((512,), (2, 8))


def test_a_length_beyond_the_target_is_told() -> None:
    assert PROBE.fits(MultiKeySettings(lengths=(1_024,)), 1_024) is None
    assert "multiKey.lengths exceeds" in str(PROBE.fits(MultiKeySettings(lengths=(1_024,)), 512))


def test_every_size_of_a_group_has_signals_in_both_bands() -> None:
    found = signals(MultiKeySettings(groups=(2, 4)))

    assert len({signal.name for signal in found}) == len(found)
    extension = {"multi_key_ppl/2", "multi_key_margin/4", "multi_key_choice/4"}
    assert extension <= {signal.name for signal in found if signal.band == "extension"}
    assert "multi_key_ppl_guard/2" in {s.name for s in found if s.band == "guard"}


def test_groups_are_distinct() -> None:
    with pytest.raises(InvalidInput, match="groups must be distinct"):
        MultiKeySettings.parse({"groups": [2, 2]}, "multiKey")


def test_the_haystacks_file_is_named_by_its_field() -> None:
    given = MultiKeySettings(haystack=Documents(path="texts"))

    assert documents(given) == {"evaluation.probes.multiKey.haystack.path": given.haystack}
    assert documents(MultiKeySettings()) == {}
