"""Where the API server keeps objects of each kind."""

import pytest

from lccp_operator.kubernetes import api


@pytest.mark.parametrize(
    ("kind", "where", "path"),
    [
        (api.PODS, ("lab",), "/api/v1/namespaces/lab/pods"),
        (api.NAMESPACES, (None, "lab"), "/api/v1/namespaces/lab"),
        (api.JOBS, (None,), "/apis/batch/v1/jobs"),
        (
            *(api.RUNS, ("lab", "tiny", "status")),
            "/apis/lccp.io/v1alpha1/namespaces/lab/lccpruns/tiny/status",
        ),
    ],
    ids=["core group", "without a namespace", "of all namespaces", "subresource"],
)
def test_a_path_has_group_scope_name_and_subresource(
    kind: api.Kind, where: tuple[str, ...], path: str
) -> None:
    assert kind.path(*where) == path
