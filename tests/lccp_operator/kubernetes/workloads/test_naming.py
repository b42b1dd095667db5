"""Jobs are the workloads that their labels name, if these are those of their names."""

import pytest

from lccp.api import labels
from lccp.contract.errors import InvalidInput
from lccp_operator.kubernetes.api.merge import Object
from lccp_operator.kubernetes.workloads.naming import named
from lccp_operator.kubernetes.workloads.seen import CHANGES
from lccp_operator.workloads.evaluation import Evaluation
from lccp_operator.workloads.kind import Workload
from lccp_operator.workloads.purge import Purge
from lccp_operator.workloads.training import Training


def labelled(name: str, own: dict[str, str]) -> Object:
    return {"metadata": {"name": name, "labels": own}}


@pytest.mark.parametrize(
    ("component", "facts", "workload"),
    [
        (labels.TRAINER, {"attempt": "3"}, Training(3)),
        (
            labels.EVALUATOR,
            {"tokens": "000000000008192", "suite": "intrinsic", "try": "2"},
            Evaluation(8_192, number=2),
        ),
        (labels.PURGER, {}, Purge()),
    ],
    ids=["trainer", "evaluator", "purger"],
)
def test_a_job_is_known_by_its_labels(
    component: str, facts: dict[str, str], workload: Workload
) -> None:
    job = labelled(workload.name("tiny"), labels.of_workload("tiny", component, **facts))
    assert named([job], "tiny") == {workload: job}


def test_jobs_are_read_in_the_order_of_their_names() -> None:
    jobs = [
        labelled(f"tiny-train-a{i}", labels.of_workload("tiny", labels.TRAINER, attempt=str(i)))
        for i in (2, 1)
    ]
    assert list(named(jobs, "tiny")) == [Training(1), Training(2)]


def test_labels_of_another_version_are_named() -> None:
    own = labels.of_workload("tiny", labels.EVALUATOR, tokens="000000000008192", **{"try": "1"})

    with pytest.raises(InvalidInput, match=r"labels of another version.*'suite'.*delete it"):
        named([labelled("j", own)], "tiny")


@pytest.mark.parametrize(
    "edited",
    [{labels.COMPONENT: None}, {labels.COMPONENT: "other"}, {f"{labels.GROUP}/attempt": "1"}],
    ids=["kind removed", "another kind", "another attempt"],
)
def test_a_job_whose_labels_are_not_those_of_its_name_is_named(
    edited: dict[str, str | None],
) -> None:
    own = labels.of_workload("tiny", labels.TRAINER, attempt="2")
    kept = {name: value for name, value in (own | edited).items() if value is not None}
    jobs = [labelled("tiny-train-a2", given) for given in (own, kept)]

    assert list(named(jobs[:1], "tiny")) == [Training(2)]

    with pytest.raises(InvalidInput, match=r"labels of Job tiny-train-a2 .* put them back"):
        named(jobs, "tiny")


def test_a_copy_of_a_job_is_called_one_and_how_to_delete_it() -> None:
    own = labels.of_workload("tiny", labels.EVALUATOR, tokens="8192", suite="niah", **{"try": "1"})
    original = labelled(Evaluation(8_192, "niah").name("tiny"), own)
    copy = labelled("mine", own)

    for job in (original, copy):
        job["metadata"]["namespace"] = "team-a"
    with pytest.raises(
        InvalidInput, match=r"Job mine is a copy of Job tiny-eval-niah-.*: "
    ) as said:
        named([original, copy], "tiny")
    assert str(said.value).endswith(": kubectl delete job mine -n team-a")

    changed = copy | {CHANGES: ["metadata.labels.lccp.io/try is 1, not 2"]}
    with pytest.raises(InvalidInput, match="labels of Job mine are not those of its name"):
        named([original, changed], "tiny")
