"""Bytes that a pod of a training keeps in its scratch volume while it uploads them.

As many are held in its memory before, as the copy with which a save lets the training go on.
"""

from collections.abc import Mapping
from typing import Any

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.workload import EPHEMERAL_STORAGE, amount
from lccp.contract.errors import InvalidInput
from lccp.cost.architecture import Architecture
from lccp.cost.memory import FP32_BYTES, WEIGHT_BYTES
from lccp.model_config import of_text_model

STATE_BYTES = 3 * FP32_BYTES
"""Bytes of a parameter in a state: its weight and two moments."""
GIBIBYTE = 2**30


def scratch_bytes(parameters: int, spec: LCCPRunSpec) -> int:
    """Bytes of a checkpoint and a part of a state, held by the gang's first pod; others hold less.

    Tokens of text sources and fetched inputs are not counted.
    """
    checkpoint = parameters * WEIGHT_BYTES[spec.trained.precision]
    return checkpoint + -(-parameters * STATE_BYTES // spec.topology.nodes)


def refusal(parameters: int, spec: LCCPRunSpec, tokens: int = 0) -> str | None:
    """Why the first pod can't complete a save within its limit; None if it can.

    Args:
        tokens: bytes of tokens of text sources, where they are known.
    """
    limit = spec.topology.resources.limits.get(EPHEMERAL_STORAGE)
    needed = scratch_bytes(parameters, spec) + tokens
    if limit is None or amount(limit) >= needed or _elsewhere(spec):
        return None
    others = "fetched inputs" if tokens else "tokens of text and fetched inputs"
    return (
        f"topology.resources.limits.{EPHEMERAL_STORAGE}: {limit} is too small for a checkpoint "
        "and a pod's part of a state, so the first save would evict the pod: take at least "
        f"{-(-needed // GIBIBYTE)}Gi, and more for {others}"
    )


def refusals(spec: LCCPRunSpec, config: Mapping[str, Any]) -> list[str]:
    """The same as a list, empty also where the size of the model's family is not counted.

    Args:
        config: the source model's config.json, parsed.
    """
    try:
        parameters = Architecture.from_config(of_text_model(config)).parameters
    except InvalidInput:
        return []
    found = refusal(parameters, spec)
    return [found] if found is not None else []


def _elsewhere(spec: LCCPRunSpec) -> bool:
    """Whether the run's own pod template replaces the scratch volume."""
    volumes = spec.topology.pod_template.spec.get("volumes")
    given = volumes if isinstance(volumes, list) else ()
    return any(isinstance(one, dict) and one.get("name") == "scratch" for one in given)
