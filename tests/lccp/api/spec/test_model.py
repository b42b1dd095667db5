"""How a model's context is raised."""

import pytest

from lccp.api.spec.model import ModelSpec
from lccp.contract.errors import InvalidInput

BASE = {"source": "model", "targetContextLength": "64K"}
YARN = {"type": "yarn", "factor": "4"}


@pytest.mark.parametrize("way", [{}, {"ropeBase": 1_000_000}, {"ropeScaling": YARN}])
def test_one_way_or_none_extends_it(way: dict[str, object]) -> None:
    assert ModelSpec.parse(BASE | way, "model").target_context_length == 65_536


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"ropeBase": 1_000_000, "ropeScaling": YARN}, "ropeBase and ropeScaling exclude each"),
        ({"ropeScaling": YARN | {"factor": "0.5"}}, "ropeScaling.factor: must be"),
        ({"ropeScaling": YARN | {"type": "ntk"}}, "ropeScaling.type: "),
        ({"ropeBase": 999}, "ropeBase: "),
        ({"trustRemoteCode": "yes"}, "trustRemoteCode: "),
    ],
)
def test_what_extends_no_model_is_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        ModelSpec.parse(BASE | given, "model")
