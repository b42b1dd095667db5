"""Child processes that a warm process forks."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import warm_stub
from laptop import lives, wait_for

from lccp_operator.embedded.children import Warm

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux forks evaluators"),
]

PROGRAM = ("sh", "-c", "echo ordinary; exit 3")
WAIT = "import os, signal; print(os.getpid(), flush=True); signal.pause()"


class World:
    """A warm process, and the log of those that it forks."""

    def __init__(self, folder: Path, command: tuple[str, ...]) -> None:
        self.lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR)
        self.warm = Warm(command, self.lock)
        self.log = folder / "log"

    def start(self, do: str) -> "subprocess.Popen[bytes]":
        with self.log.open("ab") as output:
            return self.warm.start(PROGRAM, os.environ | {"DO": do}, output)

    def lines(self, number: int = 1) -> list[str]:
        wait_for(lambda: self.log.read_text().count("\n") == number)
        return self.log.read_text().split()


@contextmanager
def world_of(folder: Path, command: tuple[str, ...] = warm_stub.COMMAND) -> Iterator[World]:
    made = World(folder, command)
    try:
        yield made
    finally:
        made.warm.end()
        os.close(made.lock)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with world_of(tmp_path) as made:
        yield made


def test_one_warm_process_forks_all(world: World) -> None:
    for _ in range(2):
        assert world.start("import os; print(os.getppid())").wait(30) == 0

    first, second = world.lines(2)
    assert first == second


def test_what_a_killed_deputy_stands_for_is_killed(world: World) -> None:
    deputy = world.start(WAIT)
    (pid,) = map(int, world.lines())

    deputy.kill()

    assert deputy.wait(30) == -signal.SIGKILL
    wait_for(lambda: not lives(pid))


def test_all_end_with_the_warm_process_and_the_next_start_begins_another(world: World) -> None:
    deputy = world.start(WAIT)
    (pid,) = map(int, world.lines())

    world.warm.end()

    assert deputy.wait(30) == -signal.SIGKILL
    wait_for(lambda: not lives(pid))
    assert world.start("exit(64)").wait(30) == 64


@pytest.mark.parametrize("command", [("false",), warm_stub.WITH_A_THREAD])
def test_where_nothing_can_be_forked_the_program_runs_as_an_ordinary_process(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    with world_of(tmp_path, command) as world:
        assert world.start("exit(64)").wait(30) == 3

        assert world.lines() == ["ordinary"]
