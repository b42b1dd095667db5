"""Rules for the API server, in CEL, beside the validators that check the same in Python.

A rule's text is in the CRD under `x-kubernetes-validations`; `self` is the value that the rule is
attached to, `oldSelf` the value before an update. Keys that start with `x-lccp-` are for the
reference page and never reach the CRD.
"""

from dataclasses import dataclass
from typing import Any

VALIDATIONS = "x-kubernetes-validations"
OWN = "x-lccp-"
KIND = f"{OWN}kind"
BOUNDS = f"{OWN}bounds"


@dataclass(frozen=True)
class Rule:
    """What must hold, and the sentence for the person whose manifest violates it.

    `message` is a CEL expression instead of a text if `computed`.
    """

    rule: str
    message: str
    path: str | None = None
    computed: bool = False

    def document(self) -> dict[str, Any]:
        """The rule as the CRD holds it."""
        key = "messageExpression" if self.computed else "message"
        place = {"fieldPath": self.path} if self.path else {}
        return {"rule": self.rule, key: self.message} | place


def let(name: str, value: str, body: str) -> str:
    """CEL: `body`, in which `name` stands for `value`.

    For a value that is needed twice: the API server unfolds an object again for each of its parts
    that an expression names.
    """
    return f"[{value}].map({name}, {body})[0]"


def distinct(values: str) -> str:
    """CEL: no value of the list occurs twice. The cost grows with the square of the length."""
    return let("all", values, "all.all(one, all.indexOf(one) == all.lastIndexOf(one))")


def enabled(path: str) -> str:
    """CEL: the object at `path` is there and not turned off by its field `enabled`."""
    return f"has({path}) && (!has({path}.enabled) || {path}.enabled)"


def rules(*given: Rule) -> dict[str, Any]:
    """`json_schema_extra` that attaches the rules to a type or a field."""
    return {VALIDATIONS: [rule.document() for rule in given]}
