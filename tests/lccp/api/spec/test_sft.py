"""Settings of a fine-tuning."""

import pytest

from lccp.api.spec.sft import SFTSpec
from lccp.contract.errors import InvalidInput

BASE = {"path": "a.jsonl", "globalBatchTokens": "64K"}


def test_the_rate_may_stay_but_not_rise() -> None:
    same = {"learningRate": "2e-5", "finalLearningRate": "2e-5"}
    assert SFTSpec.parse(BASE | same, "sft").final_learning_rate == 2e-5

    sentence = "sft: finalLearningRate 2e-05 is above learningRate 1e-05: lower it"
    with pytest.raises(InvalidInput, match=sentence):
        SFTSpec.parse(BASE | {"learningRate": "1e-5", "finalLearningRate": "2e-5"}, "sft")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"lora": {"targetModules": []}}, "lora.targetModules: "),
        ({"lora": {"dropout": "1"}}, "lora.dropout: must be"),
        ({"warmupFraction": "1"}, "warmupFraction: must be"),
        ({"epochs": 0}, "epochs: "),
    ],
)
def test_settings_that_train_nothing_are_refused(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        SFTSpec.parse(BASE | given, "sft")
