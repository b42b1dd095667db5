"""Which process holds what: the one place that maps ranks to rows, sequences and experts.

Processes that share sequences are adjacent, and so are those that share experts, since neighbours
are most often on one node.
"""

from dataclasses import dataclass
from typing import Self

from lccp.api.run import LCCPRunSpec
from lccp.contract.errors import InvalidInput


@dataclass(frozen=True)
class Layout:
    """Processes of a run, and how many of them share a sequence or the experts of a layer."""

    processes: int
    sequence_size: int = 1
    """Processes that share the tokens of one sequence."""
    expert_size: int = 1
    """Processes that share the experts of a layer."""

    @classmethod
    def of(cls, spec: LCCPRunSpec) -> Self:
        asked, topology = spec.trained.deepspeed, spec.topology
        processes = topology.nodes * topology.processes_per_node
        return cls(processes, asked.sequence_parallel_size, asked.expert_parallel_size)

    @property
    def data_size(self) -> int:
        """Groups of processes that train on different rows."""
        return self.processes // self.sequence_size

    def data_rank(self, rank: int) -> int:
        """Which of these groups `rank` is in."""
        return rank // self.sequence_size

    def sequence_rank(self, rank: int) -> int:
        """Which part of its group's sequences `rank` has."""
        return rank % self.sequence_size

    def sequence_groups(self) -> list[range]:
        """The ranks that share sequences, group by group."""
        starts = range(0, self.processes, self.sequence_size)
        return [range(start, start + self.sequence_size) for start in starts]


@dataclass(frozen=True)
class StepShape:
    """How the rows (sequences of the target length) of one step are laid out."""

    rows: int
    row_tokens: int
    layout: Layout
    micro_batch_rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.row_tokens

    @property
    def own_tokens(self) -> int:
        """Tokens of a micro batch that one process computes."""
        return self.micro_batch_rows * self.row_tokens // self.layout.sequence_size

    @property
    def accumulation_steps(self) -> int:
        """Micro batches of one process in a step."""
        return self.rows // self.layout.data_size // self.micro_batch_rows

    def own_rows(self, rank: int) -> slice:
        """Rows of a step that `rank` computes; ranks that share sequences have the same."""
        rows = self.rows // self.layout.data_size
        start = self.layout.data_rank(rank) * rows
        return slice(start, start + rows)

    def micro_batches(self) -> list[slice]:
        """A process's own rows, divided into its micro batches."""
        starts = range(0, self.rows // self.layout.data_size, self.micro_batch_rows)
        return [slice(at, at + self.micro_batch_rows) for at in starts]

    def columns(self, rank: int) -> slice:
        """Tokens of every row that `rank` computes."""
        width = self.row_tokens // self.layout.sequence_size
        start = self.layout.sequence_rank(rank) * width
        return slice(start, start + width)


def step_shape(spec: LCCPRunSpec) -> StepShape:
    """The shape of a step. Raises InvalidInput unless every process gets whole micro batches."""
    training, layout = spec.trained, Layout.of(spec)
    row = spec.model.target_context_length
    unit = row * layout.data_size * training.micro_batch_size
    if training.global_batch_tokens % unit:
        below = training.global_batch_tokens // unit * unit
        raise InvalidInput(
            f"training.globalBatchTokens: {training.global_batch_tokens} is not a multiple of "
            f"{unit} (model.targetContextLength {row} x {layout.data_size} groups of processes x "
            f"microBatchSize {training.micro_batch_size}): take "
            + (f"{below} or {below + unit}" if below else f"{unit}, or fewer processes")
        )
    rows = training.global_batch_tokens // row
    return StepShape(rows, row, layout, training.micro_batch_size)
