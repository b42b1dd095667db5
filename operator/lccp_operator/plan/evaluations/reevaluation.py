"""Which evaluations the run's annotation asks for anew."""

from lccp.contract.quantities import TOKENS
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations.stages import wanted

EVERYTHING = "all"


def asked_anew(context: Context) -> list[EvaluationKey]:
    """The evaluations that the run's annotation asks for anew, oldest first.

    As long as it is there nothing of them begins, so that what is asked once is done once.
    """
    if context.asked_anew is None:
        return []
    asked = _parts(context.asked_anew)
    return [key for key in wanted(context) if EVERYTHING in asked or key[0] in asked.values()]


def not_to_be_asked(context: Context) -> list[str]:
    """What the annotation names that is no complete checkpoint."""
    asked = context.asked_anew
    parts = _parts(asked) if asked is not None else {EVERYTHING: None}
    if EVERYTHING in parts:
        return []
    return [text for text, n in parts.items() if n not in context.facts.checkpoints]


def _parts(asked: str) -> dict[str, int | None]:
    """The tokens that an annotation names, by the text that does; None for text that is none.

    Further words of a part say nothing: they tell one question from the next.
    """
    return {text: _tokens(text) for text in map(_first_word, asked.split(","))}


def _first_word(part: str) -> str:
    return next(iter(part.split()), "")


def _tokens(text: str) -> int | None:
    try:
        return 0 if text == "0" else TOKENS.parse(text)
    except ValueError:
        return None
