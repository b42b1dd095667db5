"""The run as a whole: what its parts require of each other."""

from typing import Any

import pytest
from manifests import BASE, changed

from lccp.api.run import LCCPRun
from lccp.contract.errors import InvalidInput


def parse(**given: Any) -> LCCPRun:
    return LCCPRun.parse(changed(BASE, {k.replace("__", "."): v for k, v in given.items()}), "run")


def test_what_the_api_server_adds_to_the_metadata_is_kept_out_of_the_way() -> None:
    run = parse(metadata__managedFields=[{}], metadata__uid="u")

    assert (run.metadata.uid, run.metadata.namespace) == ("u", "default")
    assert "managedFields" not in run.document()["metadata"]


@pytest.mark.parametrize("name", ["a" * 41, "A", "-a", "a-", "a.b", "", "a\n"])
def test_a_name_that_workloads_cannot_have_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=r"run: metadata: metadata.name must have at most 40"):
        parse(metadata__name=name)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"spec__checkpoints__atTokens": ["1B", "201B"]},
            r"exceeds training.tokens.*\(201,000,000,000 > 200,000,000,000\)",
        ),
        ({"spec__training__globalBatchTokens": 65_535}, r"\(65,535 < 65,536\)"),
        (
            {"spec__evaluation__probes": {"niah": {"lengths": ["128K"]}}},
            r"niah.lengths exceeds model.targetContextLength \(131,072 > 65,536\)",
        ),
    ],
)
def test_parts_that_do_not_fit_each_other_are_told_with_both_numbers(
    given: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        parse(**given)


def test_names_inside_are_no_names_of_a_manifest() -> None:
    with pytest.raises(InvalidInput, match="active_deadline_seconds: there is no such field"):
        parse(spec__active_deadline_seconds=1)


def test_the_horizon_is_an_eighth_of_the_budget_unless_given() -> None:
    assert parse().horizon_tokens == 25 * 10**9
    assert parse(spec__saturation__horizonTokens="3B").horizon_tokens == 3 * 10**9
