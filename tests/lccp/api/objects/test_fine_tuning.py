"""Identity of a fine-tuning."""

from typing import Any

import pytest

from lccp.api.objects.fine_tuning import FineTuning


def a_fine_tuning(settings: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {"path": "a.jsonl", "global_batch_tokens": 4_096} | settings
    base = {"checkpoint_digest": "d", "records": 2, "records_digest": "r"}
    counts = {"predicted_tokens": 5, "tokens": 10}
    return FineTuning(settings=given, **base | counts | changes).identity()


BASE = a_fine_tuning({})


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"path": "elsewhere.jsonl"}, {}),
        ({"bad_records_max": 3}, {"left_out": 3}),
        ({"micro_batch_size": 2}, {}),
    ],
)
def test_how_an_attempt_is_carried_out_is_no_part_of_it(
    settings: dict[str, Any], changes: dict[str, Any]
) -> None:
    assert a_fine_tuning(settings, **changes) == BASE


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"seed": 1}, {}),
        ({"epochs": 3}, {}),
        ({"lora": {"rank": 4}}, {}),
        ({}, {"checkpoint_digest": "e"}),
        ({}, {"records_digest": "s"}),
        ({}, {"chat_template": "t"}),
    ],
)
def test_what_the_model_depends_on_is(settings: dict[str, Any], changes: dict[str, Any]) -> None:
    assert a_fine_tuning(settings, **changes) != BASE
