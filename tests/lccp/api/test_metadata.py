"""The metadata of a run object."""

import pytest
from pydantic import ValidationError

from lccp.api.metadata import ObjectMeta


def test_what_lccp_does_not_read_is_kept_out_of_its_way() -> None:
    read = ObjectMeta.model_validate({"name": "a", "labels": {"team": "b"}})
    assert (read.name, read.namespace) == ("a", "default")


@pytest.mark.parametrize("name", ["", "A", "a.b", "-a", "a-", "a" * 41])
def test_a_name_that_workloads_cannot_be_named_after_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="must have at most 40 characters"):
        ObjectMeta.model_validate({"name": name})
