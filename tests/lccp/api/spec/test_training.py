"""How long and by what settings a model is trained."""

import pytest

from lccp.api.spec.training import TrainingSpec
from lccp.contract.errors import InvalidInput

BASE = {"tokens": 100, "globalBatchTokens": 10, "learningRate": "1e-5"}


@pytest.mark.parametrize(
    "schedule",
    [
        {"warmupTokens": 100},
        {"type": "WSD", "decayTokens": 100},
        {"type": "WSD", "decayTokens": 60, "warmupTokens": 40},
        {"type": "Cosine", "warmupTokens": 1},
        {"decayTokens": 1_000},
    ],
)
def test_a_schedule_fits_into_the_budget(schedule: dict[str, object]) -> None:
    assert TrainingSpec.parse(BASE | {"schedule": schedule}, "t").tokens == 100


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ({"warmupTokens": 101}, "schedule.warmupTokens exceeds tokens"),
        ({"type": "WSD"}, "schedule WSD needs decayTokens"),
        ({"type": "WSD", "decayTokens": 61, "warmupTokens": 40}, "must fit into tokens"),
    ],
)
def test_one_that_does_not_is_refused(schedule: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        TrainingSpec.parse(BASE | {"schedule": schedule}, "t")


@pytest.mark.parametrize(
    ("field", "value"),
    [("learningRate", "0"), ("learningRate", 1e-5), ("gradientClipping", "0"), ("seed", 2**31)],
)
def test_a_number_out_of_bounds_or_without_quotes_is_refused(field: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=f"t: {field}: "):
        TrainingSpec.parse(BASE | {field: value}, "t")
