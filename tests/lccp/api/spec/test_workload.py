"""What the pods of all workloads have in common."""

import pytest

from lccp.api.spec.workload import PodMetadata, ResourceSpec, WorkloadSpec, amount
from lccp.contract.errors import InvalidInput


@pytest.mark.parametrize(
    ("written", "text"), [(4, "4"), ("500m", "500m"), ("64Gi", "64Gi"), ("1.5", "1.5"), (0, "0")]
)
def test_a_quantity_is_an_integer_or_a_text(written: object, text: str) -> None:
    assert ResourceSpec.parse({"limits": {"memory": written}}, "r").limits == {"memory": text}


@pytest.mark.parametrize("written", ["", "64GB", "-1", "1e3", 1.5, True, None, " 1", "1\n"])
def test_what_kubernetes_takes_for_none_is_refused(written: object) -> None:
    with pytest.raises(InvalidInput, match=r"limits.memory: must be a resource quantity"):
        ResourceSpec.parse({"limits": {"memory": written}}, "r")


@pytest.mark.parametrize(
    ("quantity", "whole"),
    [("4", 4), ("500m", 0), ("2500m", 2), ("64Gi", 64 * 2**30), ("1.5k", 1_500), ("1T", 10**12)],
)
def test_a_quantity_writes_an_amount(quantity: str, whole: int) -> None:
    assert amount(quantity) == whole


def test_a_person_may_label_pods_but_not_with_what_lccp_finds_them_by() -> None:
    assert PodMetadata(labels={"team": "a"}).labels == {"team": "a"}
    for name in ("lccp.io/run", "app.kubernetes.io/name"):
        with pytest.raises(InvalidInput, match="would not find its own pods"):
            PodMetadata.parse({"labels": {name: "x"}}, "m")


def test_a_variable_has_a_name_that_a_shell_takes() -> None:
    assert WorkloadSpec.parse({"env": [{"name": "A_1"}]}, "w").env[0].value == ""
    with pytest.raises(InvalidInput, match=r"w: env\[0\].name: "):
        WorkloadSpec.parse({"env": [{"name": "1A"}]}, "w")
