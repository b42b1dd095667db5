"""Which evaluations the run's annotation requests again."""

from dataclasses import dataclass, replace

from lccp.contract.quantities import TOKENS
from lccp.facts.facts import EvaluationKey
from lccp_operator.plan.context import Context
from lccp_operator.plan.evaluations.stages import lost, wanted

EVERYTHING = "all"


def asked_anew(context: Context) -> list[EvaluationKey]:
    """The evaluations that the run's annotation requests again, oldest first.

    While it is there none of them begins, so that one request has one result.
    """
    if context.asked_anew is None:
        return []
    asked = _parts(context.asked_anew)
    return [key for key in wanted(context) if any(part.names(key) for part in asked)]


def given_up(context: Context) -> list[EvaluationKey]:
    """Lost evaluations that the run's annotation requests: they are no longer missed."""
    asked = () if context.asked_anew is None else _parts(context.asked_anew)
    return [key for key in lost(context) if any(part.names(key) for part in asked)]


def not_to_be_asked(context: Context) -> list[str]:
    """Parts of the annotation that name no complete checkpoint, or no suite of it."""
    asked = () if context.asked_anew is None else _parts(context.asked_anew)
    complete = [(tokens, "") for tokens in context.facts.checkpoints]
    before = replace(context, journal=context.facts.journal)
    known = [*complete, *wanted(context), *lost(before)]
    everything = _Part(EVERYTHING, None, "")
    return [p.text for p in asked if p != everything and not any(map(p.names, known))]


@dataclass(frozen=True)
class _Part:
    """`all` or tokens, and after a slash a suite; without one, all suites are meant."""

    checkpoint: str
    tokens: int | None
    suite: str

    @property
    def text(self) -> str:
        return f"{self.checkpoint}/{self.suite}" if self.suite else self.checkpoint

    def names(self, key: EvaluationKey) -> bool:
        tokens, suite = key
        named = self.checkpoint == EVERYTHING or tokens == self.tokens
        return named and self.suite in ("", suite)


def _parts(asked: str) -> list[_Part]:
    """The parts of an annotation.

    Further words of a part have no meaning: they distinguish one request from the next.
    """
    words = (next(iter(part.split()), "") for part in asked.split(","))
    split = ((word.partition("/")[0], word.partition("/")[2]) for word in words)
    return [_Part(checkpoint, _tokens(checkpoint), suite) for checkpoint, suite in split]


def _tokens(text: str) -> int | None:
    try:
        return 0 if text == "0" else TOKENS.parse(text)
    except ValueError:
        return None
