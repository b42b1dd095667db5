"""Settings of interference."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes import interference
from lccp.probes.interference import InterferenceSettings
from lccp.probes.probe import Contexts

CONTEXTS = Contexts(400, 800, 800)


def test_the_default_distance_is_a_quarter_of_the_target():
    assert interference.resolved(InterferenceSettings(), CONTEXTS).distance == 200


def test_a_distance_beyond_the_target_is_refused():
    asked = InterferenceSettings(distance="2K")
    assert "interference.distance exceeds" in (interference.PROBE.fits(asked, 1_024) or "")
    assert interference.PROBE.fits(asked, 2_048) is None


def test_a_slope_takes_bins():
    with pytest.raises(InvalidInput, match="bins: input should be greater than or equal to 4"):
        InterferenceSettings.parse({"bins": 3}, "interference")
