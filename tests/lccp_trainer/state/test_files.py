from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file

from lccp.api.invocation import StoreConfig
from lccp.store.open import open_store
from lccp.store.port import Store
from lccp_trainer.state.files import Damaged, Part, StateFiles, file_name, write_file

NAMES = ("a.weight", "b/c.weight")
LENGTH = 40
VALUES = {
    (kind, name): torch.arange(LENGTH, dtype=torch.float32) + 100 * number
    for number, (kind, name) in enumerate(
        (kind, name) for kind in ("weight", "exp_avg") for name in NAMES
    )
}


def parts(cuts: list[int]) -> list[list[Part]]:
    """All values, cut at `cuts`: the parts of each process."""
    ends = sorted({*cuts, 0, LENGTH})
    return [
        [Part(kind, name, start, values[start:end]) for (kind, name), values in VALUES.items()]
        for start, end in pairwise(ends)
    ]


def saved(folder: Path, by_rank: list[list[Part]]) -> StateFiles:
    """The files of a state that processes wrote in a folder that is a store."""
    sizes = {}
    (folder / "state").mkdir(parents=True)
    for rank, own in enumerate(by_rank):
        path = folder / "state" / file_name(rank)
        write_file(own, path)
        sizes[path.name] = path.stat().st_size
    return StateFiles(open_store(StoreConfig(url=f"file://{folder}")), "state/", sizes)


def empty(by_rank: list[list[Part]]) -> list[list[Part]]:
    return [
        [Part(p.kind, p.name, p.start, torch.full_like(p.values, -1)) for p in own]
        for own in by_rank
    ]


cuts = st.lists(st.integers(1, LENGTH - 1), max_size=4)


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(cuts, cuts)
def test_what_some_processes_wrote_any_other_number_reads(
    tmp_path_factory: pytest.TempPathFactory, written: list[int], wanted: list[int]
) -> None:
    files = saved(tmp_path_factory.mktemp("store"), parts(written))
    for rank, own in enumerate(empty(parts(wanted))):
        files.fill(own, file_name(rank))
        for part in own:
            end = part.start + len(part.values)
            assert torch.equal(part.values, VALUES[part.kind, part.name][part.start : end])


def test_a_file_is_a_safetensors_file(tmp_path: Path) -> None:
    saved(tmp_path, parts([]))
    found = load_file(tmp_path / "state" / file_name(0))
    assert torch.equal(found["weight/0/b/c.weight"], VALUES["weight", "b/c.weight"])


class Counting:
    """A store that counts what is read of each file."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.read: dict[str, int] = {}

    def get_range(self, key: str, start: int, length: int, _: None) -> bytes:
        self.read[key] = self.read.get(key, 0) + length
        return self.store.get_range(key, start, length)


def test_with_the_same_layout_a_process_reads_its_own_file_alone(tmp_path: Path) -> None:
    files = saved(tmp_path, parts([10, 20]))
    store: Any = Counting(files.store)
    StateFiles(store, files.prefix, files.sizes).fill(empty(parts([10, 20]))[1], file_name(1))
    assert set(store.read) == {f"state/{file_name(1)}"}
    assert store.read == {f"state/{file_name(1)}": files.sizes[file_name(1)]}


def test_with_another_layout_it_reads_no_more_tensors_than_it_needs(tmp_path: Path) -> None:
    files = saved(tmp_path, parts([10, 20, 30]))
    store: Any = Counting(files.store)
    (own, _) = empty(parts([20]))
    StateFiles(store, files.prefix, files.sizes).fill(own, file_name(7))
    for rank in (2, 3):
        assert store.read[f"state/{file_name(rank)}"] < files.sizes[file_name(rank)]


class Short:
    """A store whose answers have at most so many bytes."""

    def __init__(self, store: Store, most: int) -> None:
        self.store, self.most = store, most

    def get_range(self, key: str, start: int, length: int, _: None) -> bytes:
        return self.store.get_range(key, start, min(length, self.most))


def test_a_store_that_gives_less_than_asked_for_is_asked_for_the_rest(tmp_path: Path) -> None:
    files = saved(tmp_path, parts([10, 20]))
    store: Any = Short(files.store, 7)
    (own,) = empty(parts([]))
    StateFiles(store, files.prefix, files.sizes).fill(own, file_name(0))
    for part in own:
        assert torch.equal(part.values, VALUES[part.kind, part.name])


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (flipped, f"{file_name(1)}: b/c.weight differs from what was written"),
        (lambda path: path.write_bytes(path.read_bytes()[:-4]), f"{file_name(1)}: is cut short"),
        (lambda path: path.write_bytes(b""), f"{file_name(1)}: is cut short"),
        (lambda path: path.write_bytes(b"\xff" * 64), f"{file_name(1)}: is damaged"),
        (lambda path: path.write_bytes(bytes(64)), f"{file_name(1)}: is damaged"),
        (lambda path: path.unlink(), f"{file_name(1)} is missing"),
    ],
)
@pytest.mark.parametrize("reader", [1, 5])
def test_damage_is_found_and_named(tmp_path: Path, damage: Any, sentence: str, reader: int) -> None:
    files = saved(tmp_path, parts([10, 20]))
    damage(tmp_path / "state" / file_name(1))
    with pytest.raises(Damaged, match=sentence):
        files.fill(empty(parts([10, 20]))[1], file_name(reader))


def test_a_part_that_nobody_wrote_is_missed(tmp_path: Path) -> None:
    first, _, last = parts([10, 20])
    files = saved(tmp_path, [first, last])
    with pytest.raises(Damaged, match=r"contains no weight of a\.weight"):
        files.fill(empty(parts([]))[0], file_name(0))
