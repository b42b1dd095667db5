"""Rules in CEL, as the CRD has them; an API server judges them in `api/test_manifests.py`."""

import pytest

from lccp.contract.cel import VALIDATIONS, Rule, distinct, enabled, let, rules


def test_a_rule_has_a_message_or_an_expression_that_makes_one() -> None:
    assert Rule("self > 0", "above 0").document() == {"rule": "self > 0", "message": "above 0"}
    computed = Rule("self > 0", "'not ' + self", ".a", computed=True).document()
    assert computed == {
        "rule": "self > 0",
        "messageExpression": "'not ' + self",
        "fieldPath": ".a",
    }


def test_rules_are_attached_in_their_order() -> None:
    one, two = Rule("a", "A"), Rule("b", "B", ".b")

    assert rules(one, two) == {VALIDATIONS: [one.document(), two.document()]}


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (let("n", "size(self)", "n > 1 && n < 9"), "[size(self)].map(n, n > 1 && n < 9)[0]"),
        (
            distinct("self.names"),
            "[self.names].map(all, all.all(one, all.indexOf(one) == all.lastIndexOf(one)))[0]",
        ),
        (enabled("self.bio"), "has(self.bio) && (!has(self.bio.enabled) || self.bio.enabled)"),
    ],
)
def test_what_is_needed_twice_is_unfolded_once(made: str, text: str) -> None:
    assert made == text
