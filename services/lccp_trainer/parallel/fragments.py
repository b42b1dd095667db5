"""The part of each parameter that DeepSpeed keeps here: float32 weights and Adam's moments.

Every ZeRO stage flattens and partitions them in its own way; here they are views by parameter, to
read and to write. They are found as in `deepspeed.utils.tensor_fragment`, which copies.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

WEIGHT, MOMENTS = "weight", ("exp_avg", "exp_avg_sq")


@dataclass(frozen=True, eq=False)
class Fragment:
    """A contiguous part of a flattened parameter."""

    parameter: str
    start: int
    """The fragment's first element in the flattened parameter."""
    values: dict[str, torch.Tensor]
    """Weight and moments: flat float32 views of equal length."""

    def part(self, start: int, length: int) -> "Fragment":
        """`length` elements of the fragment from `start`, an index into the parameter."""
        offset = start - self.start
        values = {kind: value[offset : offset + length] for kind, value in self.values.items()}
        return Fragment(self.parameter, start, values)

    @property
    def length(self) -> int:
        return len(self.values[WEIGHT])


def held(engine: Any) -> list[Fragment]:
    """All fragments that this process keeps; without ZeRO, whole parameters."""
    match engine.zero_optimization_stage():
        case 0:
            return list(_whole(engine))
        case 3:
            return list(_of_stage_3(engine))
        case _:
            return list(_of_stages_1_and_2(engine))


def owned(engine: Any, rank: int, processes: int) -> list[Fragment]:
    """The fragments that only this process writes to a state; without ZeRO, an equal share."""
    if engine.zero_optimization_stage() != 0:
        return held(engine)
    found = []
    for fragment in held(engine):
        share = -(-fragment.length // processes)
        part = fragment.part(rank * share, share)
        found += [part] if part.length else []
    return found


def trained(engine: Any) -> Iterator[tuple[str, Any]]:
    """The trained parameters, by name: of a model with adapters, only the adapters'."""
    return ((n, p) for n, p in engine.module.named_parameters() if p.requires_grad)


def optimizer_steps(engine: Any) -> int:
    """Steps that Adam has made; skipped steps don't count."""
    states = _torch_optimizer(engine).state.values()
    return max((int(state["step"]) for state in states if "step" in state), default=0)


def restored(engine: Any, steps: int) -> None:
    """Make values written to fragments take effect: sets Adam's steps and the passes' weights."""
    for state in _torch_optimizer(engine).state.values():
        state["step"] = torch.tensor(float(steps))
    match engine.zero_optimization_stage():
        case 0:
            return
        case 3:
            optimizer = engine.optimizer
            # Parameters gathered by an earlier pass, and small ones that stay whole, are outdated.
            optimizer.checkpoint_event_prologue()
            for number in range(len(optimizer.fp32_partitioned_groups_flat)):
                optimizer._reassign_or_swap_out_partitioned_parameters(number)
            optimizer.checkpoint_event_epilogue()
        case _:
            engine.optimizer.update_lp_params()


def _whole(engine: Any) -> Iterator[Fragment]:
    for name, parameter in trained(engine):
        moments = _moments(engine.optimizer, parameter)
        values = {WEIGHT: parameter.data, **moments}
        yield Fragment(name, 0, {kind: value.view(-1) for kind, value in values.items()})


def _of_stages_1_and_2(engine: Any) -> Iterator[Fragment]:
    optimizer = _torch_optimizer(engine)
    for name, parameter in trained(engine):
        mapping = parameter._hp_mapping
        if mapping is None:
            continue
        (partition,) = optimizer.param_groups[mapping.param_group_index]["params"]
        place = mapping.hp_fragment_address
        values = {WEIGHT: partition.data, **_moments(optimizer, partition)}
        yield Fragment(
            name,
            mapping.lp_fragment_address.start,
            {kind: v[place.start : place.start + place.numel] for kind, v in values.items()},
        )


def _of_stage_3(engine: Any) -> Iterator[Fragment]:
    zero = engine.optimizer
    for name, parameter in trained(engine):
        group, offset, size = zero.grad_position[zero.get_param_id(parameter)]
        partition = zero.fp32_partitioned_groups_flat[group]
        start = zero._get_param_partition_rank(parameter) * size
        length = min(size, parameter.ds_numel - start)
        if length > 0:
            values = {WEIGHT: partition.data, **_moments(zero.optimizer, partition)}
            own = {kind: value[offset : offset + length] for kind, value in values.items()}
            yield Fragment(name, start, own)


def _moments(optimizer: torch.optim.Optimizer, parameter: torch.Tensor) -> dict[str, torch.Tensor]:
    """Adam's moments of a parameter, created here if no step was made yet."""
    state = optimizer.state[parameter]
    if not state:
        zeros = {moment: torch.zeros_like(parameter) for moment in MOMENTS}
        state.update(step=torch.tensor(0.0), **zeros)
    return {moment: state[moment] for moment in MOMENTS}


def _torch_optimizer(engine: Any) -> Any:
    optimizer = engine.optimizer
    return optimizer.optimizer if engine.zero_optimization() else optimizer
