"""A trouble is told in one line of a bounded length."""

from seen_objects import NOW, a_job, a_pod, waiting

from lccp_operator.kubernetes.workloads.seen import Seen
from lccp_operator.kubernetes.workloads.troubles.job import trouble_of
from lccp_operator.kubernetes.workloads.troubles.told import MESSAGE_LENGTH_MAX


def test_a_long_message_is_one_line_of_500_characters() -> None:
    pod = a_pod("Pending", containerStatuses=[waiting("ErrImagePull", "a\n  b" + "c" * 900)])

    found = trouble_of(a_job(), (pod,), Seen({}, (pod,)), NOW)

    assert found is not None
    assert found.message.startswith("x:1: a bccc")
    assert len(found.message) == MESSAGE_LENGTH_MAX
