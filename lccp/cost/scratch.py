"""Bytes that a pod of a training keeps in its scratch volume while it uploads them."""

from lccp.api.run import LCCPRunSpec
from lccp.api.spec.workload import EPHEMERAL_STORAGE, amount
from lccp.cost.memory import FP32_BYTES, WEIGHT_BYTES

STATE_BYTES = 3 * FP32_BYTES
"""Bytes of a parameter in a state: its weight and two moments."""
GIBIBYTE = 2**30


def scratch_bytes(parameters: int, spec: LCCPRunSpec) -> int:
    """Of the gang's first pod: a checkpoint, and its part of a state. Others hold no checkpoint.

    Tokens of text sources, and fetched inputs, are extra.
    """
    checkpoint = parameters * WEIGHT_BYTES[spec.trained.precision]
    return checkpoint + -(-parameters * STATE_BYTES // spec.topology.nodes)


def refusal(parameters: int, spec: LCCPRunSpec) -> str | None:
    """Why no pod may reach the end of a save within its limit; None if it may."""
    limit = spec.topology.resources.limits.get(EPHEMERAL_STORAGE)
    needed = scratch_bytes(parameters, spec)
    if limit is None or amount(limit) >= needed or _elsewhere(spec):
        return None
    return (
        f"topology.resources.limits.{EPHEMERAL_STORAGE}: {limit} does not hold a checkpoint and a "
        f"pod's part of a state, so the first save would evict the pod: take at least "
        f"{-(-needed // GIBIBYTE)}Gi, and more for tokens of text and fetched inputs"
    )


def _elsewhere(spec: LCCPRunSpec) -> bool:
    """Whether the run's own template says where scratch is."""
    volumes = spec.topology.pod_template.spec.get("volumes")
    return any(isinstance(one, dict) and one.get("name") == "scratch" for one in volumes or ())
