"""Whether a run can be carried out on this machine, and if not, why."""

from collections.abc import Iterator
from pathlib import Path

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput
from lccp.contract.location import remote_location
from lccp.cost.architecture import Architecture
from lccp.cost.memory import FP32_BYTES, Memory, TrainingSettings
from lccp.cost.planning.advice import with_nodes
from lccp.cost.planning.devices import USABLE
from lccp.cost.scratch import scratch_bytes
from lccp.model_config import CONFIG, read_model_config
from lccp.report.text import bytes_text
from lccp_cli.machine import evaluators
from lccp_cli.machine.checks import Check
from lccp_trainer.launch.accelerators import Accelerators

MOMENTS_AND_WEIGHTS = 3
"""FP32 numbers per parameter in a state."""


def checks(
    run: LCCPRun, folder: Path, found: Accelerators, memory: int | None, disk: int
) -> Iterator[Check]:
    """Whether `lccp run` can carry out the run here, with all nodes' processes on this machine.

    Args:
        folder: the manifest's, from which relative paths start.
        memory: bytes of this machine; None: unknown.
        disk: free bytes where the run is stored.
    """
    if run.spec.source is not None:
        yield from evaluators.checks(run, run.spec.source, folder, found, memory, disk)
        return
    yield _inputs(run, folder)
    yield from _accelerators(run, found)
    source = folder / run.spec.model.source
    if not (source / CONFIG).is_file():
        return
    try:
        model = Architecture.from_config(read_model_config(source))
    except InvalidInput as error:
        yield Check("memory of it", True, f"unknown: {error}", needed=False)
        return
    copied = scratch_bytes(model.parameters, with_nodes(run, 1).spec)
    yield _memory(run, Memory.of(model, TrainingSettings.of(run)), copied, found, memory)
    yield _disk(run, model, disk)


def _inputs(run: LCCPRun, folder: Path) -> Check:
    from lccp_trainer.launch.validation import check_spec

    places = [run.spec.model.source, *(source.path for source in run.spec.mixture.sources)]
    remote = [place for place in places if remote_location(place) is not None]
    if remote:
        seen = f"{remote[0]} is fetched when the run starts, and was not checked"
        return Check("model, data", True, seen, needed=False)
    try:
        check_spec(run.spec, folder)
    except InvalidInput as error:
        return Check("model, data", False, "can't be trained", str(error))
    return Check("model, data", True, "can be trained: layout, weights, documents")


def _accelerators(run: LCCPRun, found: Accelerators) -> Iterator[Check]:
    topology = run.spec.topology
    if topology.accelerator_resource_name is None:
        return
    wanted = topology.nodes * topology.processes_per_node
    advice = "lower topology.nodes and processesPerNode, or use a machine that has as many"
    seen = (
        f"{wanted} {topology.accelerator_resource_name} are requested, {found.count} are available"
    )
    yield Check("devices of it", found.count >= wanted, seen, advice)
    if found.count and run.spec.trained.precision == "BF16":
        advice = "set training.precision to FP32"
        yield Check("bf16 of it", found.bf16, "in hardware" if found.bf16 else "no", advice)


def _memory(
    run: LCCPRun, held: Memory, copied: int, found: Accelerators, memory: int | None
) -> Check:
    """Of a device; or of all processes on the CPU, with the copies of a save."""
    name, topology = "memory of it", run.spec.topology
    advice = "lower microBatchSize, or see which layouts fit: lccp plan --device"
    if topology.accelerator_resource_name is not None and found.count:
        usable = int(USABLE * found.memory_bytes)
        seen = f"{bytes_text(held.device)} of {bytes_text(usable)} of a device"
        return Check(name, held.device <= usable, seen, advice)
    processes = topology.nodes * topology.processes_per_node
    whole = held.total * processes + copied
    seen = f"{bytes_text(whole)} in {processes} processes, copies of a save included"
    return Check(name, memory is None or whole <= memory, seen, advice)


def _disk(run: LCCPRun, model: Architecture, free: int) -> Check:
    """Checkpoints in the run's precision, and the states that are kept."""
    spec = run.spec
    branches = len(spec.branch_points)
    own = len(spec.checkpoints.due(spec.trained.tokens)) + spec.evaluation.baseline
    checkpoints = own + branches
    weights = checkpoints * TrainingSettings.of(run).element_bytes
    kept = spec.checkpoints.keep_states + branches
    states = kept * MOMENTS_AND_WEIGHTS * FP32_BYTES
    size = (weights + states) * model.parameters
    seen = f"{bytes_text(size)} for {checkpoints} checkpoints and their states"
    advice = (
        f"only {bytes_text(free)} are free here: free some space, or point --store to a "
        "larger volume"
    )
    return Check("disk of it", size <= free, seen, advice)
