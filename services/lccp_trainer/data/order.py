"""The order in which an epoch reads documents: a permutation that needs no memory."""

from dataclasses import dataclass
from functools import cached_property

ROUNDS = 4
MASK = 2**64 - 1


@dataclass(frozen=True)
class Order:
    """A permutation of the numbers below `count`, given by `seed`.

    A Feistel network over the next power of four permutes at least as many numbers. A result beyond
    `count` is permuted again until it is below (Black and Rogaway, CT-RSA 2002, "cycle walking":
    fewer than four times on average). Time and memory of a number do not depend on count.
    """

    count: int
    seed: tuple[int, ...]

    def __getitem__(self, place: int) -> int:
        """The number at `place`, 0 <= place < count."""
        if not 0 <= place < self.count:
            raise IndexError(f"an order of {self.count} numbers has no place {place}")
        half = max(1, -(-(self.count - 1).bit_length() // 2))
        found = place
        while True:
            found = self._permuted(found, half)
            if found < self.count:
                return found

    def _permuted(self, number: int, half: int) -> int:
        """`number` of 2 x `half` bits through the network."""
        left, right, low = number >> half, number & ((1 << half) - 1), (1 << half) - 1
        for turn in range(ROUNDS):
            left, right = right, left ^ (self._hash(right, turn) & low)
        return left << half | right

    def _hash(self, value: int, turn: int) -> int:
        mixed = value + 1
        for key in self._keys:
            mixed = _splitmix(mixed ^ key)
        return _splitmix(mixed ^ TURNS[turn])

    @cached_property
    def _keys(self) -> tuple[int, ...]:
        return tuple(_splitmix(part + 1) for part in self.seed)


def _splitmix(value: int) -> int:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    value = (value + 0x9E3779B97F4A7C15) & MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


TURNS = tuple(_splitmix(turn + 1) for turn in range(ROUNDS))
