"""Settings of the samples with their defaults resolved."""

from lccp.contract.errors import InvalidInput
from lccp.probes.niah import NiahSettings
from lccp.probes.probe import Contexts
from lccp_evaluator.sampling.needles import DEFAULT_NEEDLES

DEFAULT_LENGTHS = 8
STEPS_OF_TARGET = 32


def default_lengths(target: int) -> tuple[int, ...]:
    """Eight lengths from a sixteenth of `target` to `target`, evenly, in steps of a 32nd of it."""
    step = max(1, target // STEPS_OF_TARGET)
    shares = [1 / 16 + 15 / 16 * i / (DEFAULT_LENGTHS - 1) for i in range(DEFAULT_LENGTHS)]
    inner = {max(step, round(share * target / step) * step) for share in shares[:-1]}
    return (*sorted(length for length in inner if length < target), target)


def resolved(niah: NiahSettings, contexts: Contexts, model_context: int) -> NiahSettings:
    """`niah` with lengths, depths and needles as they are used.

    Raises:
        InvalidInput: a length lies beyond the target context or beyond what the model's own
            configuration names (tokens), or there are fewer needles than asked for.
    """
    lengths = tuple(sorted(set(niah.lengths))) or default_lengths(contexts.target)
    needles = (niah.needles or DEFAULT_NEEDLES)[: niah.needles_per_haystack]
    if lengths[-1] > contexts.target:
        raise InvalidInput(
            f"evaluation.probes.niah.lengths: {lengths[-1]} lies beyond the target context of "
            f"{contexts.target} tokens"
        )
    if lengths[-1] > model_context:
        raise InvalidInput(
            f"evaluation.probes.niah.lengths: {lengths[-1]} lies beyond the {model_context} tokens "
            "of the checkpoint's config.json (max_position_embeddings)"
        )
    if len(needles) < niah.needles_per_haystack:
        raise InvalidInput(
            f"evaluation.probes.niah.needlesPerHaystack: {niah.needles_per_haystack} needles are "
            f"asked for, but LCCP ships {len(needles)}: give `needles`, or ask for fewer"
        )
    depths = tuple(sorted(set(niah.depths_percent)))
    return niah.model_copy(
        update={"lengths": lengths, "depths_percent": depths, "needles": needles}
    )
