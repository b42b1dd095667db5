"""How the containers of a pod ended, in the words of its kubelet."""

import pytest
from seen_objects import a_pod, terminated

from lccp.api import labels
from lccp_operator.kubernetes.workloads import endings


def init(name: str, **ended: object) -> dict[str, object]:
    return {"initContainerStatuses": [{"name": name, "state": {"terminated": ended}}]}


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        ({"exitCode": 0}, ""),
        ({"exitCode": 1, "reason": "Error"}, "the suite's program ended with exit code 1"),
        (
            {"exitCode": 1, "message": "KeyError:\n 'acc'"},
            "the suite's program ended with exit code 1: KeyError: 'acc'",
        ),
        (
            {"exitCode": 128, "reason": "StartError", "message": 'exec: "./none": not found'},
            'the suite\'s program could not be started: exec: "./none": not found',
        ),
    ],
)
def test_a_suites_program_is_told_by_its_code_or_by_what_kept_it_from_starting(
    ended: dict[str, object], told: str
) -> None:
    assert endings.program_failure(ended) == told


def test_a_container_that_failed_before_the_main_one_is_named() -> None:
    status = init("mesh", exitCode=3, message="no proxy")

    assert endings.failure(status, {}) == "init container mesh ended with exit code 3: no proxy"


def test_what_fetches_ends_the_work_in_place_of_the_main_container() -> None:
    pod = a_pod("Failed", **init(labels.FETCH, exitCode=77))

    assert endings.terminated(pod)["exitCode"] == 77


def test_since_when_a_suite_reports_is_known_once_its_program_has_ended() -> None:
    began = "2026-01-05T09:00:00Z"
    runs = {
        "containerStatuses": [{"name": "evaluator", "state": {"running": {"startedAt": began}}}]
    }
    component = {labels.COMPONENT: labels.EVALUATOR}

    def since(**status: object) -> str | None:
        pod = a_pod("Running", **status)
        pod["metadata"]["labels"] = component
        return endings.reports_since(pod)

    assert since(**init(labels.SUITE, exitCode=0), **runs) == began
    assert since(**init(labels.SUITE, exitCode=0)) is None
    assert since(**runs) is None


def test_containers_beside_the_main_one_do_not_matter() -> None:
    beside = terminated(1) | {"name": "proxy"}

    assert endings.terminated(a_pod("Running", containerStatuses=[beside])) == {}
