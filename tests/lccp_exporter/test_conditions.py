"""Conditions as the exporter keeps them: the same, in less memory."""

import json

import a_run

from lccp.api.objects.conditions import RunConditions
from lccp_exporter.conditions import kept_conditions


def test_a_condition_comes_back_as_it_was_told() -> None:
    reported = RunConditions.from_json(a_run.said().to_json(), "conditions.json")

    assert tuple(one.condition for one in kept_conditions(reported)) == reported.conditions


def test_what_a_newer_operator_says_is_read_as_it_is() -> None:
    document = json.loads(a_run.said().to_json())
    document["conditions"][0] |= {"type": "Newer", "reason": "NotKnownYet"}

    first = kept_conditions(
        RunConditions.from_json(json.dumps(document).encode(), "conditions.json")
    )[0]

    assert (first.type, first.reason) == ("Newer", "NotKnownYet")
