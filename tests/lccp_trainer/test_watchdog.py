import threading
import time
from pathlib import Path

import pytest

from lccp_trainer.watchdog import Watchdog


def test_a_hang_leaves_the_stacks_of_all_threads(tmp_path: Path) -> None:
    """Of the newest hundred: other tests of this process may have left as many older ones."""
    barked, stacks = threading.Event(), tmp_path / "stacks.txt"

    def waits_in_this_test() -> None:
        assert barked.wait(10)

    thread = threading.Thread(target=waits_in_this_test)
    thread.start()
    Watchdog(0.05, stacks, barked.set, linger_seconds=0)
    thread.join(20)
    assert barked.is_set()
    assert "in waits_in_this_test" in stacks.read_text()


@pytest.mark.slow
def test_steps_keep_it_quiet(tmp_path: Path) -> None:
    barked = threading.Event()
    watchdog = Watchdog(1.0, tmp_path / "stacks.txt", barked.set, linger_seconds=0)
    begun = time.monotonic()
    while time.monotonic() - begun < 1.5:
        watchdog.touch()
        assert not barked.wait(0.02)
    watchdog.stop()
    assert not barked.wait(1.2)


@pytest.mark.slow
def test_what_is_waited_for_in_a_pause_is_no_hang(tmp_path: Path) -> None:
    barked = threading.Event()
    watchdog = Watchdog(1.0, tmp_path / "stacks.txt", barked.set, linger_seconds=0)
    with watchdog.paused():
        assert not barked.wait(1.5)
    assert barked.wait(10)
