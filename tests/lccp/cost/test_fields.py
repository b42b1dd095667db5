"""Numbers of a model's configuration."""

import pytest

from lccp.contract.errors import InvalidInput
from lccp.cost.fields import integer

CONFIG = {"heads": 8, "by_layer": [1, 2], "unset": None, "share": 0.5, "flag": True, "less": -1}


def test_the_first_name_that_is_set_counts() -> None:
    assert integer(CONFIG, "unset", "heads") == 8
    assert integer(CONFIG, "none", default=3) == 3
    assert integer(CONFIG, "heads", default=3) == 8


def test_a_list_holds_a_value_a_layer() -> None:
    assert [integer(CONFIG, "by_layer", layer=layer) for layer in (0, 1)] == [1, 2]


@pytest.mark.parametrize("name", ["none", "share", "flag", "less"])
def test_what_is_no_whole_number_is_named(name: str) -> None:
    with pytest.raises(InvalidInput, match=rf"config\.json: {name} must be a whole number, not "):
        integer(CONFIG, name)
    with pytest.raises(InvalidInput, match="by_layer must be a whole number"):
        integer(CONFIG, "by_layer", layer=2)
