"""Settings and signals of biographies."""

from typing import Any

import pytest

from lccp.contract.errors import InvalidInput
from lccp.probes.bio import PROBE, BioSettings, resolved, signals
from lccp.probes.probe import Contexts


@pytest.mark.parametrize(("source", "lengths"), [(256, (256, 512)), (1_024, (512,))])
def test_the_default_lengths_are_source_and_target(source: int, lengths: tuple[int, ...]) -> None:
    used = resolved(BioSettings(depths_percent=(50, 0)), Contexts(source, 512, 512))

    assert used.lengths == lengths
    assert used.depths_percent == (0, 50)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"depthsPercent": [0, 0]}, "depthsPercent must be distinct"),
        ({"lengths": [300, 300]}, "lengths must be distinct"),
        ({"template": "{question}{context}"}, "template must hold"),
        ({"density": "0"}, "density: must be"),
        ({"documents": 1}, "documents: "),
    ],
)
def test_settings_that_cannot_be_measured_are_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        BioSettings.parse(given, "bio")


def test_a_length_beyond_the_target_is_told_with_both_numbers() -> None:
    settings = BioSettings(lengths=(1_024,))

    assert PROBE.fits(settings, 1_024) is None
    assert "bio.lengths exceeds model.targetContextLength (1,024 > 512)" in str(
        PROBE.fits(settings, 512)
    )


def test_signals_of_both_bands_are_declared() -> None:
    found = signals(BioSettings())

    assert {"bio_ppl", "bio_score"} <= {one.name for one in found if one.band == "extension"}
    guards = {one.name for one in found if one.band == "guard"}
    assert guards == {f"{one.name}_guard" for one in found if one.band == "extension"}
