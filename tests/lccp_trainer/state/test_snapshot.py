import threading
from pathlib import Path

import torch
from safetensors.torch import load_file

from lccp_trainer.parallel.pieces import Piece
from lccp_trainer.state.snapshot import Snapshot


def piece(values: torch.Tensor) -> Piece:
    return Piece("a", 4, {"weight": values, "exp_avg": values * 2})


def test_what_is_trained_after_the_copy_is_not_in_it(tmp_path: Path) -> None:
    values, snapshot = torch.ones(3), Snapshot()
    parts = snapshot.take([piece(values)])
    values.fill_(7)
    snapshot.write(parts, tmp_path / "file")
    found = load_file(tmp_path / "file")
    assert found["weight/4/a"].tolist() == [1, 1, 1]
    assert found["exp_avg/4/a"].tolist() == [2, 2, 2]


def test_the_next_copy_waits_until_the_one_before_is_written(tmp_path: Path) -> None:
    snapshot, taken = Snapshot(), threading.Event()
    first = snapshot.take([piece(torch.ones(3))])

    def take_again() -> None:
        snapshot.take([piece(torch.zeros(3))])
        taken.set()

    thread = threading.Thread(target=take_again)
    thread.start()
    assert not taken.wait(0.1)
    snapshot.write(first, tmp_path / "file")
    assert taken.wait(10)
    thread.join()
    assert load_file(tmp_path / "file")["weight/4/a"].tolist() == [1, 1, 1]


def test_memory_is_used_again(tmp_path: Path) -> None:
    snapshot = Snapshot()
    addresses = []
    for size in (3, 2, 3):
        parts = snapshot.take([piece(torch.ones(size))])
        addresses.append(parts[0].values.data_ptr())
        snapshot.write(parts, tmp_path / "file")
    assert len(set(addresses)) == 1


def test_a_file_that_can_t_be_written_frees_the_memory(tmp_path: Path) -> None:
    snapshot = Snapshot()
    parts = snapshot.take([piece(torch.ones(3))])
    try:
        snapshot.write(parts, tmp_path / "no folder" / "file")
    except FileNotFoundError:
        snapshot.take([piece(torch.ones(3))])
    else:
        raise AssertionError("the file was written")
