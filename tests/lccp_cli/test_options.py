"""Options that correspond to fields of a manifest: errors name the option."""

from typing import Any

import pytest

from lccp.api.objects.policy import Policy
from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp_cli.options import changed, checked, length, token_budget


@pytest.mark.parametrize(("text", "tokens"), [("200B", 200 * 10**9), ("4096", 4_096)])
def test_a_budget_is_an_integer_or_has_a_unit(text: str, tokens: int) -> None:
    assert token_budget(text, "--tokens") == tokens


@pytest.mark.parametrize(("text", "tokens"), [("64K", 65_536), ("512", 512)])
def test_a_length_counts_in_powers_of_two(text: str, tokens: int) -> None:
    assert length(text, "--context") == tokens


@pytest.mark.parametrize("text", ["", "many", "-1", "1.5K", "0", "9" * 5_000])
def test_a_number_that_is_none_is_said_of_its_option(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^--tokens: must be a number of tokens"):
        token_budget(text, "--tokens")
    with pytest.raises(InvalidInput, match=r"^--context: must be a length in tokens"):
        length(text, "--context")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"haystacks": 1}, "^--haystacks: input should be greater"),
        ({"depths_percent": [0, 200]}, r"^--depths\[1\]: input should be less"),
        ({"needles_per_haystack": 0}, "^--needles-per-haystack: "),
        ({"template": "{context}"}, "^template must hold {context} and, after it, {question}"),
    ],
)
def test_a_wrong_setting_is_said_of_the_option_that_gave_it(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        checked(NiahSettings, given)


def test_quotes_are_for_manifests() -> None:
    with pytest.raises(InvalidInput) as refused:
        checked(NiahSettings, {"separator": 1, "haystacks": "x"})
    assert "in quotes" not in str(refused.value)
    assert checked(Policy, {"horizon_tokens": 5}).horizon_tokens == 5


def test_a_horizon_beyond_a_known_budget_is_refused() -> None:
    bounded, open_ended = Policy(horizon_tokens=5, budget_tokens=1_000), Policy(horizon_tokens=5)

    with pytest.raises(InvalidInput, match=r"^--horizon-tokens: must be at most 1000, the tokens"):
        changed(bounded, {"horizon_tokens": "2K"})
    assert changed(bounded, {"horizon_tokens": "1K"}).horizon_tokens == 1_000
    assert changed(open_ended, {"horizon_tokens": "2K"}).horizon_tokens == 2_000
