"""The order in which a tree of tokens is computed, in steps of bounded size.

A step is one forward pass over pieces of the tree, packed in a row. Keys and values of all tokens
are in an arena of slots; a piece says where its own go and where those before it are. The schedule
follows one path of the tree to its deepest token, then its branches from the last to the first.
Each branch may overwrite everything after the token at which it forks, so the arena needs hardly
more slots than the longest passage has tokens. Short branches share a step.

Nothing here uses tensors: a schedule is data, and can be counted before it is run.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lccp_evaluator.passes.passage import Passage, Span
from lccp_evaluator.passes.tree import Node


@dataclass(frozen=True)
class AnswerRows:
    """Rows of a piece that predict answer tokens of a passage.

    Row `row` of the step, and the `count - 1` after it, predict the tokens of the answer of
    `passage`, starting at number `place`.
    """

    passage: int
    row: int
    place: int
    count: int


@dataclass(frozen=True)
class Piece:
    """The tokens [start, stop) of a passage; `row` is the first one's row in its step.

    Keys and values of the tokens before `start` are in the slots of `before`, in order; its own go
    to the slots from `slot` onward.
    """

    passage: int
    start: int
    stop: int
    row: int
    before: tuple[Span, ...]
    slot: int
    judged: tuple[AnswerRows, ...]

    @property
    def rows(self) -> slice:
        """The piece's rows in its step."""
        return slice(self.row, self.row + self.stop - self.start)

    @property
    def slots(self) -> tuple[Span, ...]:
        """Slots of all tokens up to `stop`."""
        return joined(self.before, (self.slot, self.slot + self.stop - self.start))


@dataclass(frozen=True)
class Schedule:
    """Steps, and the number of slots that they need."""

    steps: tuple[tuple[Piece, ...], ...]
    slots: int

    @property
    def tokens(self) -> int:
        """Number of tokens computed."""
        return sum(piece.stop - piece.start for step in self.steps for piece in step)

    @property
    def pairs(self) -> int:
        """Pairs of a query and a key that it sees: attention's cost is proportional to these."""
        return sum(
            (piece.stop * (piece.stop + 1) - piece.start * (piece.start + 1)) // 2
            for step in self.steps
            for piece in step
        )


def schedule(
    passages: Sequence[Passage],
    roots: Sequence[Node],
    tokens: int | None,
    is_shared: bool = True,
) -> Schedule:
    """The schedule of the tree with `roots`, in steps of at most `tokens` tokens.

    Without `tokens`, every root is one step; none may then have children. Unless `is_shared`, no
    step has tokens of several roots.
    """
    builder = _Builder(passages)
    for root in roots:
        builder.tokens = tokens or root.stop
        builder.compute(root)
        if not is_shared:
            builder.end_step()
    builder.end_step()
    return Schedule(tuple(builder.steps), builder.peak)


def joined(spans: tuple[Span, ...], further: Span) -> tuple[Span, ...]:
    """`spans` and `further`, as one span where they touch."""
    if spans and spans[-1][1] == further[0]:
        return (*spans[:-1], (spans[-1][0], further[1]))
    return (*spans, further)


def first(spans: tuple[Span, ...], count: int) -> tuple[Span, ...]:
    """The first `count` slots of `spans`."""
    kept: list[Span] = []
    for start, stop in spans:
        if count <= 0:
            break
        kept.append((start, min(stop, start + count)))
        count -= stop - start
    return tuple(kept)


@dataclass
class _Builder:
    passages: Sequence[Passage]
    tokens: int = 0
    steps: list[tuple[Piece, ...]] = field(default_factory=list)
    peak: int = 0
    _step: list[Piece] = field(default_factory=list)
    _rows: int = 0
    _touched: int = 0
    """End of the slots that the current step reads or writes, and cannot reuse."""

    def compute(self, root: Node) -> None:
        """Schedule `root` and all below it."""
        pending: list[tuple[Node, tuple[Span, ...]]] = [(root, ())]
        while pending:
            node, before = pending.pop()
            path = list(_deepest_path(node))
            slots = self._lay(path, before)
            branches = [child for one in path for child in one.children if child not in path]
            branches.sort(key=lambda branch: branch.start)
            pending += [(branch, first(slots, branch.start)) for branch in branches]

    def end_step(self) -> None:
        """Close the current step."""
        if self._step:
            self.steps.append(tuple(self._step))
        self._step, self._rows, self._touched = [], 0, 0

    def _lay(self, path: list[Node], before: tuple[Span, ...]) -> tuple[Span, ...]:
        """Append the tokens of `path`; return the slots of all tokens up to its end."""
        at, stop = path[0].start, path[-1].stop
        slot = self._free_slot(before[-1][1] if before else 0, stop - at)
        while at < stop:
            if self._rows == self.tokens:
                self.end_step()
            taken = min(self.tokens - self._rows, stop - at)
            self._append(path, at, at + taken, before, slot)
            before = joined(before, (slot, slot + taken))
            at, slot = at + taken, slot + taken
        return before

    def _free_slot(self, wanted: int, count: int) -> int:
        """Where `count` tokens go: to `wanted`, or beyond the step's slots if the step has room."""
        if wanted < self._touched and count > self.tokens - self._rows:
            self.end_step()
        return max(wanted, self._touched)

    def _append(
        self, path: list[Node], start: int, stop: int, before: tuple[Span, ...], slot: int
    ) -> None:
        judged = tuple(
            one
            for node in path
            if node.start < stop and node.stop > start
            for one in self._judged(node, max(start, node.start), min(stop, node.stop), start)
        )
        piece = Piece(path[-1].passage, start, stop, self._rows, before, slot, judged)
        self._step.append(piece)
        self._rows += stop - start
        self._touched = max(self._touched, piece.slots[-1][1], *(end for _, end in before), 0)
        self.peak = max(self.peak, self._touched)

    def _judged(self, node: Node, start: int, stop: int, piece_start: int) -> Iterator[AnswerRows]:
        for number in node.judged:
            answer = self.passages[number].answer
            low, high = max(start, answer[0] - 1), min(stop, answer[1] - 1)
            if low < high:
                row = self._rows + low - piece_start
                yield AnswerRows(number, row, low + 1 - answer[0], high - low)


def _deepest_path(node: Node) -> Iterator[Node]:
    """`node` and the way below it to the deepest token."""
    depth: dict[Node, int] = {}
    for one in reversed(list(node.walk())):
        depth[one] = max((depth[child] for child in one.children), default=one.stop)
    while True:
        yield node
        if not node.children:
            return
        node = max(node.children, key=lambda child: depth[child])
