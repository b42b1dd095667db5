"""What is kept in memory of the objects of runs."""

from typing import Any

from lccp.api import labels
from lccp_operator.kubernetes.workloads.kept import kept, key_of, same, version_of
from lccp_operator.kubernetes.workloads.seen import RunKey


def a_job(version: int = 1, **metadata: Any) -> dict[str, Any]:
    own = {"name": "one", "namespace": "team", "labels": {labels.RUN: "tiny"}, "uid": "1"}
    return {
        "metadata": own | {"resourceVersion": str(version), "managedFields": [{}]} | metadata,
        "spec": {"completions": 2, "template": {"spec": {}}},
        "status": {"active": 1, "ready": 1},
    }


def test_nothing_is_kept_that_the_plan_does_not_need() -> None:
    job = kept(a_job(7))
    assert (job["spec"], job["status"]) == ({"completions": 2}, {"active": 1})
    assert set(job["metadata"]) == {"name", "namespace", "labels", "uid", "resourceVersion"}
    assert (key_of(job), version_of(job)) == (RunKey("team", "tiny"), 7)


def test_of_annotations_those_of_lccp_are_kept() -> None:
    job = kept(a_job(annotations={labels.INSTALLATION: "lccp/one@1", "other": "long"}))
    assert job["metadata"]["annotations"] == {labels.INSTALLATION: "lccp/one@1"}


def test_finalizers_are_kept_once_the_deletion_waits_for_them() -> None:
    audited = {"finalizers": ["example.org/audit"]}
    assert "finalizers" not in kept(a_job(**audited))["metadata"]
    going = kept(a_job(deletionTimestamp="2026-01-05T00:00:00Z", **audited))
    assert going["metadata"]["finalizers"] == ["example.org/audit"]


def test_a_new_version_alone_is_no_change() -> None:
    assert same(kept(a_job(1)), kept(a_job(2)))
    assert not same(kept(a_job(1)), kept(a_job(2, labels={labels.RUN: "huge"})))
