"""Fields that a newer operator hands to older images, which leave them out."""

from collections.abc import Iterable

from lccp.api.identity import is_given
from lccp.api.labels import INTRINSIC
from lccp_operator.plan.context import Context

OF_ATTEMPTS = ("model", "data", "training", "source", "topology", "checkpoints")
"""Parts of the spec by which an attempt is carried out; of others the evaluators tell."""

EVALUATORS_IMAGE = "evaluation.image"


def told(context: Context) -> list[str]:
    """Of those that the run sets: who leaves them out, and what would be right."""
    trains = context.spec.source is None
    who, does = ("trainer", "trains") if trains else ("importer", "imports")
    image = "topology.image" if trains else EVALUATORS_IMAGE
    return [
        *(_sentence(who, path, does, image) for path in _given(context, _of_the_attempt(context))),
        *(
            _sentence("evaluator", path, "measures", EVALUATORS_IMAGE)
            for path in _given(context, _of_the_evaluator(context))
        ),
    ]


def _of_the_attempt(context: Context) -> list[str]:
    beat = context.facts.heartbeat
    unknown = beat.unknown_fields if beat is not None else ()
    return [path for path in unknown if path.partition(".")[0] in OF_ATTEMPTS]


def _of_the_evaluator(context: Context) -> tuple[str, ...]:
    reports = context.facts.reports
    newest = max((key for key in reports if key[1] == INTRINSIC), default=None)
    return () if newest is None else reports[newest].unknown_fields


def _given(context: Context, paths: Iterable[str]) -> list[str]:
    return [path for path in paths if is_given(context.spec, path)]


def _sentence(who: str, path: str, does: str, image: str) -> str:
    return (
        f"the {who} does not know {path} and {does} without it, since the run keeps the image that "
        f"it started with: name a newer one in {image}, or remove the field"
    )
