"""Which run an object belongs to."""

from lccp_operator.kubernetes.workloads.seen import owner_uids


def test_every_owner_of_an_object_is_told() -> None:
    owners = [{"uid": "a", "kind": "LCCPRun"}, {"uid": "b", "kind": "Workload"}]

    assert owner_uids({"metadata": {"ownerReferences": owners}}) == {"a", "b"}
    assert owner_uids({"metadata": {}}) == set()
