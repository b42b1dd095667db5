"""How the rows of one step are laid out over processes and micro-batches."""

from dataclasses import dataclass

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput


@dataclass(frozen=True)
class StepShape:
    """The rows (sequences of the target length) of one step of the optimizer."""

    rows: int
    row_tokens: int
    processes: int
    micro_batch_rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.row_tokens

    @property
    def rows_per_process(self) -> int:
        return self.rows // self.processes

    @property
    def accumulation_steps(self) -> int:
        """Micro-batches of one process in a step."""
        return self.rows_per_process // self.micro_batch_rows

    def micro_batches(self, rank: int) -> list[slice]:
        """Rows of each micro-batch of `rank`."""
        start = rank * self.rows_per_process
        ends = range(start, start + self.rows_per_process, self.micro_batch_rows)
        return [slice(at, at + self.micro_batch_rows) for at in ends]


def step_shape(spec: LCCPRunSpec) -> StepShape:
    """The shape of a step. Raises InvalidInput unless every process gets whole micro-batches."""
    training, topology = spec.training, spec.topology
    row = spec.model.target_context_length
    processes = topology.nodes * topology.processes_per_node
    unit = row * processes * training.micro_batch_size
    if training.global_batch_tokens % unit:
        below = training.global_batch_tokens // unit * unit
        raise InvalidInput(
            f"training.globalBatchTokens: {training.global_batch_tokens} is no multiple of {unit} "
            f"(model.targetContextLength {row} x {processes} processes x "
            f"microBatchSize {training.micro_batch_size}): take "
            + (f"{below} or {below + unit}" if below else f"{unit}, or fewer processes")
        )
    rows = training.global_batch_tokens // row
    return StepShape(rows, row, processes, training.micro_batch_size)
