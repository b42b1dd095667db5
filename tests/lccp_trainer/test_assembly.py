import pytest

from lccp.api.causes import Cause
from lccp_trainer import ends
from lccp_trainer.assembly import Connections
from lccp_trainer.control import Requests, Stop


class Watched:
    """A watchdog that counts."""

    touched = 0

    def touch(self) -> None:
        self.touched += 1


def test_work_before_the_first_step_is_no_hang_and_ends_at_a_sigterm() -> None:
    watchdog, requests = Watched(), Requests()
    connections = Connections(None, requests, watchdog, None, None)  # type: ignore[arg-type]
    connections.alive()
    requests.ask(Stop.DRAIN)
    connections.alive()
    assert watchdog.touched == 2
    requests.ask(Stop.TERMINATE)
    with pytest.raises(ends.Stopped) as stopped:
        connections.alive()
    assert ends.end_of(stopped.value, 0).result is Cause.TERMINATED
