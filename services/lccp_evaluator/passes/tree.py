"""The tokens of passages as a radix tree: common beginnings exist once.

Attention is causal, so what a model computes for a token depends only on the tokens up to it.
Passages that begin alike can therefore share that beginning, whatever follows. For one haystack
with needles at several positions and cuts at several lengths, the tree holds the haystack once, one
branch per position and needle (for all lengths), and question and answer once per cell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lccp_evaluator.passes.passage import Passage


@dataclass(eq=False)
class Node:
    """The tokens [start, stop) of passage number `passage`, which follow those of `parent`.

    `judged` are the passages with a row here that predicts a token of their answer.
    """

    passage: int
    start: int
    stop: int
    parent: "Node | None" = None
    children: list["Node"] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        """This node and all below it, parents first."""
        pending = [self]
        while pending:
            node = pending.pop()
            yield node
            pending += reversed(node.children)


def grow(passages: Sequence[Passage]) -> list[Node]:
    """The roots of the tree of `passages`: one for each first token."""
    order = sorted(range(len(passages)), key=lambda number: _sort_key(passages[number].ids))
    top = Node(passage=-1, start=0, stop=0)
    end, ends = top, [top] * len(passages)
    for before, number in zip([None, *order], order, strict=False):
        ids = passages[number].ids
        shared = 0 if before is None else common_length(passages[before].ids, ids)
        end = _node_that_ends_at(end, shared)
        if shared < len(ids):
            leaf = Node(number, shared, len(ids), parent=end)
            end.children.append(leaf)
            end = leaf
        ends[number] = end
    for number, passage in enumerate(passages):
        _judge(ends[number], number, passage)
    return top.children


def separate(passages: Sequence[Passage]) -> list[Node]:
    """One root per passage: nothing is shared."""
    return [
        Node(number, 0, len(passage.ids), judged=[number])
        for number, passage in enumerate(passages)
    ]


def common_length(one: NDArray[np.integer], other: NDArray[np.integer]) -> int:
    """Number of leading tokens that are the same in both."""
    count = min(len(one), len(other))
    differs = np.flatnonzero(one[:count] != other[:count])
    return int(differs[0]) if len(differs) else count


def _sort_key(ids: NDArray[np.integer]) -> bytes:
    return np.asarray(ids).astype(">i4").tobytes()


def _node_that_ends_at(end: Node, length: int) -> Node:
    """The node on the way to `end` that stops at `length`; a longer one is split there."""
    node = end
    while node.parent is not None and node.start >= length:
        node = node.parent
    if node.stop <= length or node.parent is None:
        return node
    # The lower part stays the same object, so passages that ended there still do.
    upper = Node(node.passage, node.start, length, node.parent, [node])
    siblings = node.parent.children
    siblings[siblings.index(node)] = upper
    node.start, node.parent = length, upper
    return upper


def _judge(end: Node, number: int, passage: Passage) -> None:
    """Note passage `number`, which ends with `end`, at the nodes that predict its answer."""
    first, last = passage.answer[0] - 1, passage.answer[1] - 2
    node: Node | None = end
    while node is not None and node.stop > first:
        if node.start <= last:
            node.judged.append(number)
        node = node.parent
