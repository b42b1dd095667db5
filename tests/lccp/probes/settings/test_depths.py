import pytest

from lccp.probes.bio import BioSettings
from lccp.probes.niah import PRESETS, NiahSettings
from lccp.probes.registry import PROBES


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_tells_the_middle_from_the_ends(preset):
    names = {signal.name for signal in PROBES["niah"].signals(NiahSettings(preset=preset))}

    assert {"niah_lost_in_the_middle", "niah_lost_in_the_middle_guard"} <= names


@pytest.mark.parametrize("depths", [(0, 50), (50,), (0, 33, 100), (34, 66, 67)])
def test_depths_that_miss_a_third_declare_no_index(depths):
    for name, settings in (
        ("niah", NiahSettings(depths_percent=depths)),
        ("bio", BioSettings(depths_percent=depths)),
    ):
        declared = PROBES[name].signals(settings)
        assert declared
        assert not any("lost_in_the_middle" in signal.name for signal in declared)


@pytest.mark.parametrize("settings", [NiahSettings, BioSettings])
def test_a_depth_that_comes_twice_is_refused(settings):
    with pytest.raises(ValueError, match="depthsPercent must be distinct"):
        settings(depths_percent=(0, 50, 50))
