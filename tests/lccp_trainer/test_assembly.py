from types import SimpleNamespace
from typing import Any

import pytest

from lccp.api.causes import Cause
from lccp.contract.errors import InvalidInput
from lccp_trainer import ends
from lccp_trainer.assembly import Connections, check_documents
from lccp_trainer.control import Requests, Stop
from lccp_trainer.parallel.process_group import Shared


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


def test_a_node_with_other_documents_than_rank_0s_is_refused() -> None:
    """Each rank adds up what all rows of a step predict from its own documents."""

    def stream(*digests: str) -> Any:
        return SimpleNamespace(names=("long", "short"), digests=digests)

    facts: Any = SimpleNamespace(known={})
    facts.set, facts.get = facts.known.__setitem__, facts.known.__getitem__
    for rank in (0, 1):
        check_documents(stream("a", "b"), Shared(rank, facts))
    with pytest.raises(InvalidInput, match="source short: the documents on this node differ"):
        check_documents(stream("a", "c"), Shared(1, facts))
